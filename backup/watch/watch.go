// Package watch answers one question: how old, and how well proven, is the newest backup of every sandbox? It reads an
// inventory and a store, changes neither, and says the answer as a value, as a page and as metrics.
package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/internal/runlog"
	"sandkeeper/sandbox"
)

// State says in one word how a sandbox's backups are.
type State string

// The states, the most urgent first.
const (
	None       State = "none"       // no backup at all
	Damaged    State = "damaged"    // there are backups, and none of them can be believed
	Old        State = "old"        // the newest one is older than it may be
	Unverified State = "unverified" // the newest one that is young enough was never read to its last byte
	OK         State = "ok"         // a verified one is young enough; without a limit: the newest one is verified
	Gone       State = "gone"       // backups of a sandbox that is not on this host any more
)

// urgency orders the states.
func urgency(s State) int { return slices.Index([]State{None, Damaged, Old, Unverified, OK, Gone}, s) }

// ahead is how far in the future a backup may have been started: clocks differ a little. One from later is never called
// young.
const ahead = 5 * time.Minute

// Question is what is looked at.
type Question struct {
	Store     *store.Store
	Inventory sandbox.Inventory
	// Complete is false where the inventory may lack sandboxes: then no sandbox is called gone.
	Complete bool
	// Gateway and Workspace limit which backups are looked at; "" is no limit.
	Gateway, Workspace string
	MaxAge             time.Duration // 0 is no limit
	Now                time.Time

	place string // only backups that are in this place off the host count; "" is all of this host's
}

// Report is the whole answer. Rows of sandboxes come the most urgent first.
type Report struct {
	Root      string  `json:"root"`
	Hosts     int     `json:"hosts,omitempty"` // of a fleet
	MaxAge    string  `json:"maxAge"`          // "" without a limit
	Sandboxes []Row   `json:"sandboxes"`
	Gateways  []Row   `json:"gatewayStates"`
	Totals    Totals  `json:"totals"`
	Growth    []Point `json:"growth"` // of the whole store

	// LastRun is the last backup-all into this store that this user's history has; nil when it has none.
	LastRun *runlog.Record `json:"lastRun"`

	At time.Time `json:"at"`
}

// Totals count sandboxes by state, and what all backups take.
type Totals struct {
	Sandboxes  int `json:"sandboxes"` // that are on this host
	OK         int `json:"ok"`
	None       int `json:"none"`
	Damaged    int `json:"damaged"`
	Old        int `json:"old"`
	Unverified int `json:"unverified"`
	Gone       int `json:"gone"`
	Kept
}

// Late are the sandboxes that have no verified backup as young as MaxAge asks for.
func (r Report) Late() []Row {
	return slices.DeleteFunc(slices.Clone(r.Sandboxes), func(row Row) bool { return row.State == OK || row.State == Gone })
}

// Matches reports whether anything is where q looks: of a workspace, sandboxes or their backups; of a gateway, also its
// own state.
func (r Report) Matches(q Question) bool {
	return len(r.Sandboxes) > 0 || q.Workspace == "" && len(r.Gateways) > 0
}

// Look answers the question. The error is about the store as a whole.
func Look(q Question) (Report, error) {
	r := Report{Root: q.Store.Root(), Sandboxes: []Row{}, Gateways: []Row{}, At: q.Now.UTC()}
	if q.MaxAge > 0 {
		r.MaxAge = limitText(q.MaxAge)
	}
	groups, err := q.groupsOf(q.Store)
	if err != nil {
		return r, err
	}
	groups = slices.DeleteFunc(groups, func(group []store.Backup) bool { return !q.within(group) })
	r.Totals.Retired = retired(q.Store, groups)
	for _, sb := range q.Inventory.Sandboxes {
		of := store.Series{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name}
		at := slices.IndexFunc(groups, func(group []store.Backup) bool { return seriesOf(group).Is(of) })
		var group []store.Backup
		if at >= 0 {
			group = groups[at]
			groups = slices.Delete(groups, at, at+1)
		}
		r.Sandboxes = append(r.Sandboxes, q.row(of, sb, group))
		r.Totals.Kept.add(group)
	}

	for _, group := range groups {
		r.Sandboxes = append(r.Sandboxes, q.left(group))
		r.Totals.Kept.add(group)
	}
	if err := q.addGateways(&r); err != nil {
		return r, err
	}
	r.sort()
	r.count(q.Now)
	return r, nil
}

// sort puts the most urgent sandbox first, and of several the one whose newest backup is the oldest.
func (r *Report) sort() {
	slices.SortStableFunc(r.Sandboxes, func(a, b Row) int {
		return cmp.Or(cmp.Compare(urgency(a.State), urgency(b.State)), age(b, r.At)-age(a, r.At), strings.Compare(a.Address(), b.Address()), strings.Compare(a.Host, b.Host))
	})
}

// limitText is a duration as people write it: "26h", not "26h0m0s".
func limitText(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return d.String()
}

// age is how old a row's newest backup is, in seconds.
func age(r Row, now time.Time) int {
	if r.Newest == nil {
		return 0
	}
	return int(now.Sub(r.Newest.Started).Seconds())
}

func (q Question) groupsOf(s *store.Store) ([][]store.Backup, error) {
	names, err := s.Sandboxes()
	var groups [][]store.Backup
	for _, name := range names {
		backups, err := s.Backups(name)
		if err != nil {
			return nil, err
		}
		if q.place != "" {
			backups = slices.DeleteFunc(backups, func(b store.Backup) bool {
				note := store.SyncedOf(b)
				return note == nil || note.Store != q.place
			})
		}
		if len(backups) > 0 { // a folder without backups is what a killed first one left
			groups = append(groups, store.BySeries(backups)...)
		}
	}
	return groups, err
}

// retired is what is kept of removed backups by the names of groups.
func retired(s *store.Store, groups [][]store.Backup) (bytes int64) {
	seen := map[string]bool{}
	for _, group := range groups {
		if name := group[0].Sandbox; !seen[name] {
			seen[name] = true
			bytes += s.Retired(name)
		}
	}
	return bytes
}

// seriesOf is the series that a group is of.
func seriesOf(group []store.Backup) store.Series {
	head := max(0, slices.IndexFunc(group, store.Backup.Whole))
	return group[head].Series()
}

func (q Question) within(group []store.Backup) bool {
	of := seriesOf(group)
	return (q.Gateway == "" || of.Gateway == "" || of.Gateway == q.Gateway) && (q.Workspace == "" || of.Workspace == "" || of.Workspace == q.Workspace)
}

// addGateways adds what was saved of the gateways themselves.
func (q Question) addGateways(r *Report) error {
	saved, err := q.groupsOf(q.Store.Gateways())
	if err != nil {
		return fmt.Errorf("gateways' own state: %w", err)
	}
	for _, group := range saved {
		name := group[0].Sandbox
		if q.Gateway != "" && q.Gateway != name {
			continue
		}
		row := q.judge(store.Series{Gateway: name}, group)
		row.Workspace = ""
		r.Gateways = append(r.Gateways, row)
		r.Totals.Kept.add(group)
	}
	return nil
}

// count completes the totals and the growth of the whole.
func (r *Report) count(now time.Time) {
	t := &r.Totals
	for _, row := range r.Sandboxes {
		*t.in(row.State)++
	}
	t.Sandboxes = len(r.Sandboxes) - t.Gone
	t.Kept.settle(now)
	r.Growth = t.Kept.points
}

// in is the number of sandboxes in a state.
func (t *Totals) in(s State) *int {
	switch s {
	case OK:
		return &t.OK
	case None:
		return &t.None
	case Damaged:
		return &t.Damaged
	case Old:
		return &t.Old
	case Unverified:
		return &t.Unverified
	}
	return &t.Gone
}
