package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/size"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

// ErrPauseLimit ends a read whose sandbox was frozen for as long as it may be.
var ErrPauseLimit = errors.New("the pause limit passed")

// hopelessRate in bytes per second: a home that would not be read within the pause limit even at this speed is not
// paused at all.
const hopelessRate = 400 << 20

func (w *run) save(ctx context.Context, sb sandbox.Sandbox, m *home.Meter) (saving, error) {
	if sb.Route == sandbox.ByExec {
		return w.saveByExec(ctx, sb, m)
	}
	told := w.ask(ctx, sb)
	defer told.end()
	return w.saveContainer(ctx, sb, m, told)
}

// saveContainer reads the home from the container, frozen if it runs and may be, and live if that does not come about.
// Every attempt is a whole new backup: what was read before the pause limit passed may not be mixed with what is read
// after it.
func (w *run) saveContainer(ctx context.Context, sb sandbox.Sandbox, m *home.Meter, told *recipeRequest) (saving, error) {
	m.Expect = w.expected(sb)
	next := try{mayPause: true, told: told}
	for {
		c, err := w.engine(sb).Inspect(ctx, sb.Container.ID)
		if errors.Is(err, fs.ErrNotExist) {
			return saving{}, text.As(err, "its container %q is gone", sb.Container.Name)
		}
		if err != nil {
			return saving{}, err
		}
		made, err := w.attempt(ctx, sb, c, m, next)
		switch {
		case errors.Is(err, home.ErrThaw):
			return made, err
		case next.indirect == nil && errors.Is(err, home.ErrNotDirect):
			next.indirect = err
		case next.mayPause && goesOnLive(err):
			next.mayPause, next.why = false, err
		case made.cutLive && len(next.cut) < mostCuts:
			next.cut = append(next.cut, fmt.Sprintf("it was read again from the beginning: %v", err))
		default:
			made.warnings = append(next.cut, made.warnings...)
			return made, err
		}
	}
}

// mostCuts is how often a home is read anew whose stream broke off while its sandbox went on: an engine ends the stream
// at a file that becomes shorter while it is read.
const mostCuts = 3

// goesOnLive reports whether a read that failed may succeed while the sandbox goes on.
func goesOnLive(err error) bool {
	return errors.Is(err, ErrPauseLimit) || errors.Is(err, home.ErrNotPaused) || errors.Is(err, engine.ErrNoOwners)
}

// try is one of the attempts at a sandbox.
type try struct {
	mayPause bool
	why      error    // for which the attempt before could not pause
	indirect error    // for which the attempt before could not read through the file system
	cut      []string // what became of attempts before that read a sandbox which went on
	told     *recipeRequest
}

// attempt makes one backup of the home in container c.
func (w *run) attempt(ctx context.Context, sb sandbox.Sandbox, c engine.Container, m *home.Meter, t try) (saving, error) {
	sb.Container = &c
	h, err := home.ReadableHomeOf(ctx, w.engine(sb), sb)
	if err != nil {
		return saving{}, err
	}
	manifest, err := w.manifest(ctx, sb, h)
	if err != nil {
		return saving{}, err
	}
	limit, why := w.pauseLimit(), t.why
	manifest.Consistency, manifest.ConsistencyReason = consistencyOf(c)
	pause := manifest.Consistency == archive.ConsistencyLive && t.mayPause
	if last := w.previousSize(sb); pause && float64(last) > limit.Seconds()*hopelessRate {
		pause, why = false, fmt.Errorf("%w: %s cannot be read within %s", ErrPauseLimit, size.Text(last), limit)
	}
	var p *home.Pauser
	if pause && limit > 0 {
		p = w.pausing(h.Engine)
	}
	read := reading{home: h, container: c, stall: archive.StallLimit(w.Stall), meter: m, pauser: p, limit: limit, reread: w.Reread, flushing: w.flushing, told: t.told, indirect: t.indirect, skip: w.Skip}
	if w.EngineWay {
		read.indirect = errEngineWay
	}
	if p != nil {
		manifest.Consistency = archive.ConsistencyPaused
	} else if manifest.Consistency == archive.ConsistencyLive {
		manifest.ConsistencyReason = liveReason(why, limit)
	}

	made, err := w.create(ctx, manifest, m, &read)
	made.cutLive = manifest.Consistency == archive.ConsistencyLive && errors.Is(err, io.ErrUnexpectedEOF)
	return made, err
}

func liveReason(why error, limit time.Duration) string {
	switch {
	case errors.Is(why, ErrPauseLimit):
		return fmt.Sprintf("reading takes longer than a pause may (%s), so the sandbox went on while it was read", limit)
	case why != nil:
		return why.Error()
	case limit < 0:
		return "pausing was switched off"
	}
	return "no pause was possible"
}

// create makes the backup and looks at it once more. A container that could not be unpaused makes the sandbox a
// failure, but does not take away the backup.
func (w *run) create(ctx context.Context, manifest archive.Manifest, m *home.Meter, read *reading) (saving, error) {
	var omitted []archive.Exclusion
	damaged := func(err error) {
		read.warnings = append(read.warnings, fmt.Sprintf("%v; it was not relied on; \"sandkeeper backups verify %s --read-data\" says which others are", err, store.SeriesOf(&manifest).Address()))
	}
	b, err := w.Store.Create(ctx, store.NewBackup{Manifest: manifest, Recipients: w.Recipients, Told: read.told.all, Damaged: damaged},
		func(ctx context.Context, a *archive.Archive) error {
			if err := read.into(ctx, a); err != nil {
				return err
			}
			a.Note(func(m *archive.Manifest) {
				omitted = m.Exclusions
				read.told.complete(m)
				read.way.note(a, m)
				if read.moved != "" {
					m.Consistency, m.ConsistencyReason = archive.ConsistencyLive, read.moved
					m.Standing, m.Looked = nil, nil
				}
			})
			m.Keep(home.StageCommitting)
			return nil
		})
	made := saving{backup: b, omitted: omitted, warnings: read.warnings}
	if err != nil {
		return made, errors.Join(err, read.thawErr)
	}
	m.Keep(home.StageVerifying)
	return made, errors.Join(read.thawErr, w.verify(ctx, b))
}

// verify looks at a new backup once more, as deeply as was asked for.
func (w *run) verify(ctx context.Context, b store.Backup) error {
	err := w.Store.Verify(ctx, b, w.ReadBack)
	if err == nil && w.ReadBack {
		err = w.Store.MarkVerified(b, true)
	}
	return err
}

// consistencyOf says how c would be read if nothing were done about it.
func consistencyOf(c engine.Container) (archive.Consistency, string) {
	switch {
	case c.Paused():
		return archive.ConsistencyPaused, "it was paused already, and stays so"
	case c.Running():
		return archive.ConsistencyLive, ""
	}
	return archive.ConsistencyStopped, ""
}

func (w *run) pauseLimit() time.Duration {
	if w.PauseLimit == 0 {
		return home.DefaultPauseLimit
	}
	return w.PauseLimit
}

// saveByExec reads the home through the gateway.
func (w *run) saveByExec(ctx context.Context, sb sandbox.Sandbox, m *home.Meter) (saving, error) {
	m.Expect = w.expected(sb)
	dir, err := home.FindExecHome(ctx, w.CLI, sb)
	if err != nil {
		return saving{}, err
	}
	h := &home.ExecHome{Cli: w.CLI, Gateway: sb.Gateway, Space: sb.Workspace, Name: sb.Name, Dir: dir}
	told := w.ask(ctx, sb)
	defer told.end()
	manifest := w.facts(ctx, sb)
	manifest.Home, manifest.Consistency = h.Dir, archive.ConsistencyLive
	manifest.ConsistencyReason = "it can only be read through its gateway, while it runs"
	made, err := w.create(ctx, manifest, m, &reading{home: h, stall: archive.StallLimit(w.Stall), meter: m, told: told, skip: w.Skip})
	made.warnings = append(made.warnings, h.Warnings...)
	return made, err
}

// facts are what the inventory knows for the manifest.
func (w *run) facts(ctx context.Context, sb sandbox.Sandbox) archive.Manifest {
	m := archive.Manifest{
		Sandbox: sb.Name, SandboxID: sb.ID, Gateway: sb.Gateway, Workspace: sb.Workspace, Inventory: w.inventory, Label: w.Label,
		Agent: home.AgentOf(sb), SkippedChecks: w.SkippedChecks, SkipPaths: w.Skip.Patterns(),
	}
	if w.Versions != nil {
		m.Versions = w.Versions(ctx, sb)
	}
	return m
}

func (w *run) manifest(ctx context.Context, sb sandbox.Sandbox, h home.ContainerHome) (archive.Manifest, error) {
	facts, err := h.Engine.Describe(ctx, h.ID, false)
	if err != nil {
		return archive.Manifest{}, fmt.Errorf("its container %q cannot be inspected: %w", sb.Container.Name, err)
	}
	m := w.facts(ctx, sb)
	m.Home, m.Container = h.Dir, sb.Container.Name
	m.Image = archive.Image{Reference: facts.Image, Digest: facts.ImageID}
	m.Recipe = &archive.Origin{Labels: publicLabels(facts.Labels), Env: facts.EnvNames}
	return m, nil
}
