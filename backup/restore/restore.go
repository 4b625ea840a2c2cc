// Package restore answers one question: how does a backup get back into a sandbox whole, or not at all? The backup is
// verified first; the old home is kept until the new one was read back; a journal lets the next run undo what a killed
// one began.
package restore

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/size"
	"sandkeeper/sandbox"
)

// Request says what to put where. Store, Backup, Target and the Target's way in (Engine or CLI) must be there.
type Request struct {
	Store      *store.Store
	Backup     store.Backup
	Identities archive.Identities // private keys, for encrypted backups

	// Keep is the store in which what is replaced is kept; nil: Store. It is for a Store that cannot be written.
	Keep *store.Store

	Target sandbox.Sandbox
	Engine *engine.Engine
	CLI    home.Execer

	Scope    Scope
	DryRun   bool          // list what would change, and change nothing
	Consent  bool          // the operator knows that the target's present content is replaced
	Stall    time.Duration // 0 is one minute
	Progress func(home.Event)

	// Journal is the folder of the journal of restores (journal.RestoringDir). Without it nobody hears of a restore
	// that was killed.
	Journal string

	EngineWay bool // never write through the file system, also where that is possible

	Switch Switch // stops and starts a target that runs in a container; nil: its engine does

	containers home.EngineReach // tests; else made from Engine
}

// Summary is what a restore did, or in a dry run would do.
type Summary struct {
	Sandbox   string `json:"sandbox"`             // the target
	Workspace string `json:"workspace,omitempty"` // of the target
	From      string `json:"from"`                // the backup's sandbox
	Backup    string `json:"backup"`
	Scope     Scope  `json:"scope"`
	Home      string `json:"home"`
	DryRun    bool   `json:"dryRun"`
	Done      bool   `json:"done"` // the content is in place and was read back

	Way       archive.Way `json:"way,omitempty"`
	WayReason string      `json:"wayReason,omitempty"` // why it was not the direct one
	ReadBack  string      `json:"readBack,omitempty"`  // how: ReadBackLayer or ReadBackEngine

	Files   int   `json:"files"`
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`

	Added   []string `json:"added,omitempty"`   // dry run
	Changed []string `json:"changed,omitempty"` // dry run
	Removed []string `json:"removed,omitempty"` // dry run

	Kept     []string            `json:"kept,omitempty"`     // the target's own: not in the backup, left as they are
	Missing  []archive.Exclusion `json:"missing,omitempty"`  // not in the backup and not in the target: to be entered again
	Mounted  []string            `json:"mounted,omitempty"`  // paths in the home where something is mounted: left as they are
	Inexact  []archive.Inexact   `json:"inexact,omitempty"`  // what the engine did not write as the backup has it, by kind
	Previous string              `json:"previous,omitempty"` // the backup of what was there before
	KeptIn   string              `json:"keptIn,omitempty"`   // the root of its store, where that is not the backup's
	Warnings []string            `json:"warnings,omitempty"`
	DownMs   int64               `json:"downMs,omitempty"` // on the direct way: how long the sandbox was stopped
	TookMs   int64               `json:"tookMs"`
}

// Ways to read back what a restore wrote. Either way every entry's kind, mode, owner, size, link and content are
// compared.
const (
	ReadBackLayer  = "layer"  // from the files that the container engine keeps on this host
	ReadBackEngine = "engine" // through the engine or the gateway
)

// ConsentError means that the target has content of its own, and that nobody agreed to replace it.
type ConsentError struct {
	Sandbox string
	Home    string
	Entries int // entries in the home now
}

// Error names what would be replaced.
func (e *ConsentError) Error() string {
	return fmt.Sprintf("sandbox %q has %s in %s that the restore would replace", e.Sandbox, size.Count(e.Entries, "entry", "entries"), e.Home)
}

// ErrPutBack is wrapped when a restore did not succeed and the content from before is in place again.
var ErrPutBack = errors.New("what was there before is in place again")

// Restore puts a backup into a sandbox: it verifies the backup first (*DamageError before anything is touched), keeps a
// copy of what is there, replaces it, reads it back, and puts the copy back when anything of that goes wrong. The
// sandbox's own processes are stopped meanwhile where it has a container, and started again.
//
// A target with content needs Consent, else *ConsentError. The store must be locked by the caller unless DryRun.
func Restore(ctx context.Context, r Request) (summary Summary, err error) {
	start := time.Now()
	if r.Scope == "" {
		r.Scope = ScopeFull
	}
	job, err := r.prepare(ctx)
	if err != nil {
		return Summary{}, err
	}
	defer func() {
		job.summary.TookMs = time.Since(start).Milliseconds()
		summary = job.summary
		job.meter.Done(err)
	}()
	if r.DryRun {
		job.foretell(ctx)
		return job.summary, job.compare(ctx)
	}
	if err := job.consent(ctx); err != nil {
		return job.summary, err
	}
	return job.summary, job.place.run(ctx, job)
}

// kept is the store in which what is replaced is kept.
func (r Request) kept() *store.Store {
	if r.Keep == nil {
		return r.Store
	}
	return r.Keep
}

// foretell says in a dry run that the restore would be refused. What would change is shown all the same.
func (j *restoreJob) foretell(ctx context.Context) {
	p, direct := j.place.(*containerPlace)
	if !direct {
		return
	}
	if _, err := p.ready(ctx, j); err != nil {
		j.summary.Warnings = append(j.summary.Warnings, fmt.Sprintf("this restore would be refused: %v", err))
	}
}

// restoreJob is one restore under way.
type restoreJob struct {
	Request
	manifest *archive.Manifest
	pick     *selection
	place    place
	meter    *home.Meter
	summary  Summary

	omitted  []archive.Exclusion // what the backup of the old content left out
	stripped stripped

	direct       *exchange // nil: not on the direct way
	proven       bool      // every entry was read and compared with the index
	stageName    string    // name in the home that is no part of it: the stage
	ignoreOwners bool      // owners and special mode bits are the target's business
}

// place is where a restore goes to: a container, or a sandbox that is reached through its gateway.
type place interface {
	home.Home
	// run replaces what the job selects and confirms it, or leaves everything as it was.
	run(ctx context.Context, j *restoreJob) error
}

// Address is how people write the target.
func (s Summary) Address() string { return sandbox.Address(s.Workspace, s.Sandbox) }

func (r Request) prepare(ctx context.Context) (*restoreJob, error) {
	m := home.NewMeter(r.Target.Address(), r.Progress)
	m.Enter(home.StageVerifying)
	manifest, err := r.sound()
	if err != nil {
		return nil, err
	}
	pick, err := choose(manifest, r.Scope, home.AgentOf(r.Target))
	if err != nil {
		return nil, err
	}
	where, dir, err := r.where(ctx)
	if err != nil {
		return nil, err
	}
	left, err := r.kept().Interrupted()
	if err != nil {
		return nil, err
	}
	j := &restoreJob{
		Request: r, manifest: manifest, pick: pick, place: where, meter: m,
		summary: Summary{
			Sandbox: r.Target.Name, Workspace: r.Target.Workspace, From: manifest.Sandbox, Backup: r.Backup.ID, Scope: r.Scope, Home: dir, DryRun: r.DryRun,
			Warnings: leftWarnings(left),
		},
	}
	if j.stripped, err = strippedOf(manifest); err != nil {
		return nil, err
	}
	j.chooseWay(ctx)
	if j.direct != nil || j.DryRun { // both prove every entry as they read it: the one before the home is touched, the other touches nothing
		return j, nil
	}
	return j, j.verify(ctx)
}

// chooseWay takes the direct way where it can be proved that it leads to the container's home.
func (j *restoreJob) chooseWay(ctx context.Context) {
	p, ofContainer := j.place.(*containerPlace)
	if !ofContainer {
		j.summary.Way = archive.WayGateway
		return
	}
	err := errors.New("the engine's way was asked for")
	if !j.EngineWay {
		j.direct, err = p.exchangeable(ctx, j)
	}
	if err != nil {
		j.throughEngine(err)
	}
}

func (j *restoreJob) throughEngine(why error) {
	j.direct = nil
	j.summary.Way, j.summary.WayReason = archive.WayEngine, strings.TrimPrefix(why.Error(), home.ErrNotDirect.Error()+": ")
}

func orDamage(b store.Backup) error {
	if b.Damage != nil {
		return b.Damage
	}
	return archive.Damagef(archive.DamageManifest, archive.ManifestName, "it cannot be believed")
}

func (r Request) where(ctx context.Context) (place, string, error) {
	e := r.containers
	if e == nil {
		e = home.EngineOf(r.Engine)
	}
	switch {
	case r.Target.Standing == sandbox.Ambiguous:
		return nil, "", errors.New(sandbox.Ambiguity(r.Target))
	case r.Target.Container != nil && e != nil:
		h, err := home.HomeOf(ctx, e, r.Target)
		return &containerPlace{ContainerHome: h}, h.Dir, err
	case r.Target.Route == sandbox.ByExec && r.CLI != nil:
		dir, err := home.FindExecHome(ctx, r.CLI, r.Target)
		return &execPlace{home.ExecHome{Cli: r.CLI, Gateway: r.Target.Gateway, Space: r.Target.Workspace, Name: r.Target.Name, Dir: dir}}, dir, err
	}

	why := cmp.Or(r.Target.Reason, "it has no container on this host and is not reached through a gateway")
	return nil, "", fmt.Errorf("sandbox %q cannot be restored to: %s", r.Target.Address(), why)
}

// consent looks whether the home has content, and whether replacing it was agreed to.
func (j *restoreJob) consent(ctx context.Context) error {
	if j.Consent {
		return nil
	}
	n := 0
	err := j.each(ctx, j.place, func(name string, _ *tar.Header, _ io.Reader) error {
		if name != "." && j.pick.root(name) != "" {
			n++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n > 0 {
		return &ConsentError{Sandbox: j.Target.Address(), Home: j.summary.Home, Entries: n}
	}
	return nil
}

func leftWarnings(left []string) []string {
	var warnings []string
	for _, file := range left {
		warnings = append(warnings, fmt.Sprintf("an earlier restore did not end well and left %s: what was there before it, with credentials", file))
	}
	return warnings
}
