package restore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// chunkSize is how much is sent into a sandbox at once: openshell reads all of standard input first, and refuses a
// message of more than 1,048,576 bytes around it (docs/facts/openshell.md 2.3 and 3).
const chunkSize = 900_000

// execPlace restores through the gateway, with the sandbox's own shell, tar and mv, as its own user. Content is staged
// in a folder inside the home, so that both swaps are renames; the old content lies beside it until the new one is
// confirmed.
type execPlace struct{ home.ExecHome }

func (p *execPlace) run(ctx context.Context, j *restoreJob) (err error) {
	tail, err := j.tail()
	if err != nil {
		return err
	}
	mark, err := j.execMark(ctx, p, tail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mark.close()) }()
	j.stageName, j.ignoreOwners = path.Base(mark.entry.Stage), true
	j.meter.Enter(home.StageSaving)
	if err := j.saveOld(ctx, &p.ExecHome, engine.Container{}); err != nil {
		return err
	}
	mark.entry.Previous = j.summary.Previous
	j.meter.Enter(home.StageWriting)
	pack := newPacker(".", j.pick, owner{})
	pack.plain = true
	if err := p.stage(ctx, j, pack, mark); err != nil {
		return errors.Join(err, p.drop(ctx, mark))
	}
	if err := p.swap(ctx, j, pack, mark); err != nil {
		return p.undo(ctx, j, err, mark)
	}
	j.summary.Done = true
	if err := p.carry(ctx, j, mark); err != nil {
		return err
	}
	return p.drop(ctx, mark)
}

// stage puts the new content beside the old one. The journal knows of it before the sandbox does.
func (p *execPlace) stage(ctx context.Context, j *restoreJob, pack *packer, mark *execMark) error {
	err := mark.reach(journal.ExecStaging)
	if err == nil {
		err = p.shell(ctx, scriptStage, mark.entry.Stage, nil)
	}
	if err == nil {
		err = p.send(ctx, j, pack, mark.entry.Stage)
	}
	if err == nil {
		mark.entry.Carry = j.leftAlone(pack.then)
		err = mark.reach(journal.ExecSwapping)
	}
	return err
}

// swap exchanges the contents and confirms the new one.
func (p *execPlace) swap(ctx context.Context, j *restoreJob, pack *packer, mark *execMark) error {
	script := scriptSwapAll
	if len(mark.entry.Names) > 0 {
		script = scriptSwapSome
	}
	err := p.shell(ctx, script, mark.entry.Stage, nil, mark.entry.Names...)
	if err == nil {
		j.meter.Enter(home.StageVerifying)
		j.summary.ReadBack = ReadBackEngine
		err = j.confirm(ctx, p, pack.then)
	}

	if err == nil {
		err = mark.reach(journal.ExecConfirmed)
	}
	return err
}

// drop takes the stage away, also when ctx has ended, and then the journal's entry.
func (p *execPlace) drop(ctx context.Context, mark *execMark) error {
	if err := p.after(ctx, func(ctx context.Context) error { return p.shell(ctx, scriptDrop, mark.entry.Stage, nil) }); err != nil {
		return err
	}
	return mark.end()
}

// undo puts the old content back, also after ctx has ended.
func (p *execPlace) undo(ctx context.Context, j *restoreJob, err error, mark *execMark) error {
	j.meter.Enter(home.StageUndoing)
	if undone := p.after(ctx, func(ctx context.Context) error { return p.back(ctx, mark.entry) }); undone != nil {
		return fmt.Errorf("%w; what was there before is in %s/old and %s: %w", err, mark.entry.Stage, p.Dir, undone)
	}
	return errors.Join(fmt.Errorf("%w; %w", err, ErrPutBack), p.drop(ctx, mark))
}

// carry moves back what the backup deliberately lacks. What a command did not answer for may still be in the stage:
// that is an error, and the stage stays.
func (p *execPlace) carry(ctx context.Context, j *restoreJob, mark *execMark) error {
	for _, name := range mark.entry.Carry {
		err := p.shell(ctx, scriptCarry, mark.entry.Stage, nil, name)
		if err == nil {
			j.summary.Kept = append(j.summary.Kept, name)
			continue
		}
		if _, answered := errors.AsType[*scriptError](err); !answered {
			return fmt.Errorf("the content is restored, but not all that is in no backup was put back from %s: %w", mark.entry.Stage, err)
		}
		for _, x := range j.leftOut() {
			if x.Path == name {
				j.summary.Missing = append(j.summary.Missing, x)
			}
		}
	}
	return nil
}

// scriptError means that a script was run and did not succeed.
type scriptError struct {
	Sandbox string
	Exit    int
	Stderr  string
}

// Error says how the script ended.
func (e *scriptError) Error() string {
	ended := fmt.Sprintf("a command in sandbox %q ended with exit status %d", e.Sandbox, e.Exit)
	if said := text.OneLine(e.Stderr, 260); said != "" {
		return ended + ": " + said
	}
	return ended + " and said nothing"
}

// send stages the selected content: a tar stream, piece by piece.
func (p *execPlace) send(ctx context.Context, j *restoreJob, pack *packer, stage string) error {
	out := &chunkWriter{send: func(piece []byte) error {
		return p.shell(ctx, scriptAppend, stage, strings.NewReader(string(piece)))
	}}
	pack.tar = tar.NewWriter(out)
	err := j.eachOfBackup(ctx, func(h *tar.Header, content io.Reader) error {
		if h.Name == "." {
			return nil
		}
		j.count(h)
		return pack.entry(h, j.meter.Reader(content))
	})
	if err == nil {
		err = pack.tar.Close()
	}
	if err == nil {
		err = out.flush()
	}
	if err != nil {
		return err
	}
	return p.shell(ctx, scriptUnpack, stage, nil)
}

// shell runs a script in the sandbox.
func (p *execPlace) shell(ctx context.Context, script, stage string, in io.Reader, names ...string) error {
	argv := append([]string{"sh", "-c", script, "sh", p.Dir, stage}, names...)
	r, err := p.Cli.Exec(ctx, openshell.ExecRequest{Gateway: p.Gateway, Workspace: p.Space, Name: p.Name, Argv: argv, Stdin: in})
	if err != nil {
		return err
	}
	if r.Exit != 0 {
		return &scriptError{Sandbox: sandboxname.Address(p.Space, p.Name), Exit: r.Exit, Stderr: r.Stderr}
	}
	return nil
}

// after does something in the sandbox also when ctx has ended.
func (p *execPlace) after(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := text.Within(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	return do(ctx)
}

// chunkWriter sends what is written in pieces of at most chunkSize.
type chunkWriter struct {
	send func([]byte) error
	held []byte
}

// Write keeps p until there is a piece to send.
func (w *chunkWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), chunkSize-len(w.held))
		w.held = append(w.held, p[:n]...)
		p = p[n:]
		if len(w.held) == chunkSize {
			if err := w.flush(); err != nil {
				return total - len(p), err
			}
		}
	}
	return total, nil
}

func (w *chunkWriter) flush() error {
	if len(w.held) == 0 {
		return nil
	}
	err := w.send(w.held)
	w.held = w.held[:0]
	return err
}
