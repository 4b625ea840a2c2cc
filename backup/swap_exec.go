package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"sandkeeper/gateway"
	"sandkeeper/openshell"
)

// chunkSize is how much is sent into a sandbox at once: openshell reads all of standard input first, and refuses a message of more
// than 1,048,576 bytes around it (facts/openshell.md 2.3 and 3).
const chunkSize = 900_000

// execPlace restores through the gateway, with the sandbox's own shell, tar and mv, as its own user. Content is staged in a folder
// inside the home, so that both swaps are renames; the old content lies beside it until the new one is confirmed.
type execPlace struct{ execHome }

// The scripts get the home as $1 and the stage as $2. Only names come after that, never commands.
const (
	scriptStage  = `set -e; umask 077; mkdir "$2" "$2/new" "$2/old" "$2/failed"`
	scriptAppend = `cat >> "$2/archive.tar"`
	scriptUnpack = `set -e; cd "$2/new"; tar -xpf ../archive.tar; rm ../archive.tar`
	scriptDrop   = `[ -d "$2" ] || exit 0; chmod -R u+rwX "$2"; rm -rf "$2"`

	// move TO FROM: everything in FROM but the stage. The file "emptied" says that what is in the home now is not the old content.
	scriptMove = `home="$1"; stage="$2"; move() { for f in "$2"/* "$2"/.[!.]* "$2"/..?*; do
		if [ "$f" != "$stage" ] && { [ -e "$f" ] || [ -L "$f" ]; }; then mv "$f" "$1"/ || return 1; fi; done; }
		`
	scriptSwapAll = scriptMove + `move "$stage/old" "$home" && : > "$stage/emptied" && move "$home" "$stage/new"`
	scriptBackAll = scriptMove + `if [ -e "$stage/emptied" ]; then move "$stage/failed" "$home" && rm "$stage/emptied" || exit 1; fi
		move "$home" "$stage/old"`

	// take FROM TO NAME: one name, with the folders above it. A name that is still in new was not swapped.
	scriptTake = `home="$1"; stage="$2"; shift 2; there() { [ -e "$1" ] || [ -L "$1" ]; }
		take() { if there "$1/$3"; then mkdir -p "$(dirname "$2/$3")" && mv "$1/$3" "$2/$3"; fi; }
		`
	scriptSwapSome = scriptTake + `for n in "$@"; do take "$home" "$stage/old" "$n" && take "$stage/new" "$home" "$n" || exit 1; done`
	scriptBackSome = scriptTake + `for n in "$@"; do there "$stage/new/$n" || take "$home" "$stage/failed" "$n" || exit 1
		take "$stage/old" "$home" "$n" || exit 1; done`
	scriptCarry = scriptTake + `! there "$home/$1" && there "$stage/old/$1" && take "$stage/old" "$home" "$1"`
)

func (p *execPlace) run(ctx context.Context, j *restoreJob) (err error) {
	stage := path.Join(p.dir, ".sandkeeper-restore-"+j.Backup.ID)
	j.apart, j.roughly = path.Base(stage), true
	j.meter.enter(StageSaving)
	if err := j.saveOld(ctx, &p.execHome, gateway.Container{}); err != nil {
		return err
	}
	j.meter.enter(StageWriting)
	if err := p.shell(ctx, scriptStage, stage, nil); err != nil {
		return errors.Join(err, p.after(ctx, scriptDrop, stage))
	}
	pack := newPacker(".", j.pick, owner{})
	pack.plain = true
	if err := p.send(ctx, j, pack, stage); err != nil {
		return errors.Join(err, p.after(ctx, scriptDrop, stage))
	}
	swap, back, names := scriptSwapSome, scriptBackSome, j.pick.roots
	if j.pick.whole() {
		swap, back, names = scriptSwapAll, scriptBackAll, nil
	}
	err = p.shell(ctx, swap, stage, nil, names...)
	if err == nil {
		j.meter.enter(StageVerifying)
		j.summary.ReadBack = ReadBackEngine
		err = j.confirm(ctx, p, pack.then)
	}
	if err != nil {
		return p.undo(ctx, j, err, back, stage, names)
	}
	j.summary.Done = true
	p.carry(ctx, j, pack, stage)
	return p.after(ctx, scriptDrop, stage)
}

// undo puts the old content back, also after ctx has ended.
func (p *execPlace) undo(ctx context.Context, j *restoreJob, err error, back, stage string, names []string) error {
	j.meter.enter(StageUndoing)
	if undone := p.after(ctx, back, stage, names...); undone != nil {
		return fmt.Errorf("%w; what was there before is in %s/old and %s: %w", err, stage, p.dir, undone)
	}
	return errors.Join(fmt.Errorf("%w; %w", err, ErrPutBack), p.after(ctx, scriptDrop, stage))
}

// carry moves back what the backup deliberately lacks.
func (p *execPlace) carry(ctx context.Context, j *restoreJob, pack *packer, stage string) {
	for _, name := range j.leftAlone(pack.then) {
		if p.shell(ctx, scriptCarry, stage, nil, name) == nil {
			j.summary.Kept = append(j.summary.Kept, name)
			continue
		}
		for _, x := range j.leftOut() {
			if x.Path == name {
				j.summary.Missing = append(j.summary.Missing, x)
			}
		}
	}
}

// send stages the selected content: a tar stream, piece by piece.
func (p *execPlace) send(ctx context.Context, j *restoreJob, pack *packer, stage string) error {
	out := &chunkWriter{send: func(piece []byte) error {
		return p.shell(ctx, scriptAppend, stage, strings.NewReader(string(piece)))
	}}
	pack.tar = tar.NewWriter(out)
	err := j.eachOfBackup(ctx, func(h *header, content reader) error {
		if h.Name == "." {
			return nil
		}
		j.count(h)
		return pack.entry(h, j.meter.reader(content))
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
	argv := append([]string{"sh", "-c", script, "sh", p.dir, stage}, names...)
	r, err := p.cli.Exec(ctx, openshell.ExecRequest{Gateway: p.gateway, Name: p.name, Argv: argv, Stdin: in})
	if err != nil {
		return err
	}
	if r.Exit != 0 {
		return fmt.Errorf("a command in sandbox %q ended with exit status %d: %s", p.name, r.Exit, openshell.OneLine(r.Stderr, 260))
	}
	return nil
}

// after runs a script also when ctx has ended.
func (p *execPlace) after(ctx context.Context, script, stage string, names ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bringBackLimit)
	defer cancel()
	return p.shell(ctx, script, stage, nil, names...)
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
