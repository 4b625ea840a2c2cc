package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// HostStatus is what one host says in short of its backups off the host. It is a small file that many hosts leave in one
// place: rows of the same form as a report's, about what is in that place only.
type HostStatus struct {
	Schema    int       `json:"schema"`
	Host      string    `json:"host"`
	Tool      string    `json:"tool"`
	At        time.Time `json:"at"`
	Sandboxes []Row     `json:"sandboxes"`
	Gateways  []Row     `json:"gatewayStates"`
}

// hostSchema is the form of a HostStatus. Members are only added to it.
const hostSchema = 1

// ReadHostStatus reads what a host said. The error is about the text.
func ReadHostStatus(host string, text []byte) (HostStatus, error) {
	var s HostStatus
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("what host %q says of its backups cannot be read: %w", host, err)
	}
	if s.Schema != hostSchema || s.Host != host {
		return s, fmt.Errorf("what host %q says of its backups is of form %d and of host %q", host, s.Schema, s.Host)
	}
	for _, rows := range [][]Row{s.Sandboxes, s.Gateways} {
		for i := range rows {
			rows[i].believe()
		}
	}
	return s, nil
}

// believe takes away what a row cannot prove: a backup without a time, a proof that does not say when.
func (r *Row) believe() {
	if r.Newest != nil && !archive.ValidID(r.Newest.ID) {
		r.Newest = nil
	}
	if r.Verified != nil && (r.Verified.Verified == nil || !archive.ValidID(r.Verified.ID)) {
		r.Verified = nil
	}
	if r.Drilled != nil && (r.Drilled.Drilled == nil || !archive.ValidID(r.Drilled.ID)) {
		r.Drilled = nil
	}
}

// Off is the question of what is in one place off the host. Complete says that the inventory was looked at at all.
type Off struct {
	Question
	Place string // as the notes beside backups name it
	Host  string
	Tool  string
}

// Look sums up what is in the place. earlier is what the host said before, and has reports whether a backup is still
// there: what only others know, that a backup was drilled or read back in the place itself, is taken over from it, and,
// where the inventory was not looked at, which sandboxes have no backup or are gone.
func (o Off) Look(earlier HostStatus, has func(id string) bool) (HostStatus, error) {
	o.Question.place = o.Place
	report, err := Look(o.Question)
	s := HostStatus{Schema: hostSchema, Host: o.Host, Tool: o.Tool, At: report.At, Sandboxes: report.Sandboxes, Gateways: report.Gateways}
	if err != nil {
		return s, err
	}
	for _, rows := range [][]Row{s.Sandboxes, s.Gateways} {
		for i := range rows {
			rows[i].settle(earlier.row(rows[i]), has, o.Complete)
		}
	}

	if !o.Complete {
		for _, row := range earlier.Sandboxes {
			if row.Newest == nil && s.row(row) == nil {
				s.Sandboxes = append(s.Sandboxes, row)
			}
		}
	}
	return s, nil
}

// row is the row of the same sandbox or gateway; nil when there is none.
func (s HostStatus) row(like Row) *Row {
	for _, rows := range [][]Row{s.Sandboxes, s.Gateways} {
		if at := slices.IndexFunc(rows, func(r Row) bool {
			return r.Sandbox == like.Sandbox && r.Workspace == like.Workspace && r.Gateway == like.Gateway
		}); at >= 0 {
			return &rows[at]
		}
	}
	return nil
}

// settle completes a row with what an earlier one knows, and makes it small.
func (r *Row) settle(earlier *Row, has func(id string) bool, complete bool) {
	r.Growth, r.OffHost = thin(r.Growth), nil
	if !complete && r.State != Gone {
		r.Reason = ""
	}
	if earlier != nil {
		if !complete && earlier.State == Gone {
			r.State, r.Reason = Gone, earlier.Reason
		}
		r.Refuted = slices.DeleteFunc(slices.Clone(earlier.Refuted), func(id string) bool { return !has(id) })
		if r.Verified != nil && slices.Contains(r.Refuted, r.Verified.ID) {
			r.Verified = nil // here it is whole, and there it is not
		}
		r.Verified, r.Drilled = later(r.Verified, earlier.Verified, has), later(r.Drilled, earlier.Drilled, has)
	}
	for _, b := range []*Backup{r.Newest, r.Verified, r.Drilled} {
		if b != nil {
			b.Path, b.Synced, b.Encrypted = "", nil, true // what leaves the host is encrypted on its way
		}
	}
}

// later is the newer one of two backups, of which the second one must still be there.
func later(known, earlier *Backup, has func(id string) bool) *Backup {
	if earlier == nil || !has(earlier.ID) || known != nil && known.ID >= earlier.ID {
		return known
	}
	return earlier
}

// thin keeps the last point of each day, and so many days that the growth of the last week can be told.
func thin(points []Point) []Point {
	const days = 9
	kept := []Point{}
	for _, p := range points {
		if n := len(kept); n > 0 && kept[n-1].At.Format(time.DateOnly) == p.At.Format(time.DateOnly) {
			kept = kept[:n-1]
		}
		kept = append(kept, p)
	}
	return kept[max(0, len(kept)-days):]
}

// Proved notes that a backup was read back in the place, or that it was found damaged there: what is known of it on its
// host then proves nothing.
func (r *Row) Proved(b *Backup, whole bool) {
	r.Refuted = slices.DeleteFunc(r.Refuted, func(id string) bool { return id == b.ID })
	switch {
	case whole && (r.Verified == nil || r.Verified.ID <= b.ID):
		r.Verified = b
	case !whole:
		r.Refuted = append(r.Refuted, b.ID)
		if r.Verified != nil && r.Verified.ID == b.ID {
			r.Verified = nil
		}
	}
}

// Prove notes in what a host says that one of its backups was read back, or drilled, in the place itself.
func (s *HostStatus) Prove(of store.Series, gatewayState bool, mark func(*Row)) bool {
	like := Row{Sandbox: of.Name, Workspace: of.Workspace, Gateway: of.Gateway}
	if gatewayState {
		like = Row{Gateway: of.Name}
	}
	row := s.row(like)
	if row != nil {
		mark(row)
	}
	return row != nil
}

// Fleet is the report over what many hosts say, of place: the most urgent first, and then the oldest. Only MaxAge,
// Gateway, Workspace and Now of the question count.
func Fleet(place string, hosts []HostStatus, q Question) Report {
	r := Report{Root: place, Sandboxes: []Row{}, Gateways: []Row{}, Growth: []Point{}, At: q.Now.UTC(), Hosts: len(hosts)}
	if q.MaxAge > 0 {
		r.MaxAge = limitText(q.MaxAge)
	}
	for _, host := range hosts {
		r.Sandboxes = append(r.Sandboxes, q.rowsOf(host.Host, host.Sandboxes, &r.Totals.Kept)...)
		r.Gateways = append(r.Gateways, q.rowsOf(host.Host, host.Gateways, &r.Totals.Kept)...)
	}
	r.sort()
	r.count(q.Now)
	r.Growth = []Point{}
	return r
}

// rowsOf judges the rows of one host anew: time has passed since it wrote them.
func (q Question) rowsOf(host string, said []Row, kept *Kept) []Row {
	rows := make([]Row, 0, len(said))
	for _, row := range said {
		gateway := q.Gateway == "" || row.Gateway == "" || row.Gateway == q.Gateway
		if workspace := q.Workspace == "" || row.Workspace == "" || row.Workspace == q.Workspace; !gateway || !workspace {
			continue
		}
		row.Host = host
		if row.State != Gone {
			row.State = q.state(row)
		}
		if row.Growth == nil {
			row.Growth = []Point{}
		}
		kept.Backups += row.Backups
		kept.added = append(kept.added, steps(row.Growth)...)
		rows = append(rows, row)
	}
	return rows
}

// steps are what each point of a growth has added. What was there before the first one belongs to it.
func steps(growth []Point) []Point {
	added := slices.Clone(growth)
	for i := len(added) - 1; i > 0; i-- {
		added[i].Bytes -= added[i-1].Bytes
	}
	return added
}

// hostOf is how people write whose row it is.
func hostOf(r Row) string {
	if r.Host == "" {
		return r.Address()
	}
	return strings.Join([]string{r.Host, r.Address()}, ": ")
}
