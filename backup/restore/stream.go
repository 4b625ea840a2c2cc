package restore

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/internal/size"
)

// packer makes the stream that replaces a selection, and notes what must be there afterwards.
type packer struct {
	base   string // what the engine's names begin with
	pick   *selection
	owner  owner // of the target's home; zero: owners stay as they are
	source owner // of the backup's home
	nobody bool  // the backup knows no owners: everything becomes that of the target's home
	plain  bool  // for a fresh folder: nothing is there that would have to go
	lost   struct{ holes, times, twins int }
	tar    *tar.Writer
	take   factsReader
	then   map[string]entryFacts
}

func newPacker(base string, pick *selection, target owner) *packer {
	return &packer{base: base, pick: pick, owner: target, take: newFactsReader(), then: map[string]entryFacts{}}
}

// writeStall is how long the engine may take no byte while a home is written: it may be busy removing the old one.
const writeStall = 5 * time.Minute

// write streams what fill packs into the container. The packing's own error comes before the engine's, which only
// follows from it.
func (p *containerPlace) write(ctx context.Context, j *restoreJob, fill func(context.Context) error, pack *packer) error {
	watch, stop := home.WatchStall(ctx, writeStall)
	defer stop()
	ctx = watch.Ctx
	from, to := io.Pipe()
	large := bufio.NewWriterSize(to, 256<<10) // a pipe hands over every write by itself, and headers are small
	pack.tar = tar.NewWriter(large)
	packed := make(chan error, 1)
	go func() {
		err := fill(ctx)
		if err == nil {
			err = pack.tar.Close()
		}
		if err == nil {
			err = large.Flush()
		}
		to.CloseWithError(err)
		packed <- err
	}()
	err := p.Engine.Write(ctx, p.ID, parent(p.Dir), watch.Pulse(j.meter.Reader(from)))
	from.CloseWithError(errEngineStopped)
	if cause := <-packed; cause != nil && !errors.Is(cause, errEngineStopped) {
		return cause
	}
	if err != nil {
		return fmt.Errorf("writing to %s: %w", p.Dir, home.Blame(ctx, err))
	}
	return nil
}

var errEngineStopped = errors.New("the engine stopped reading")

// backup packs the selected entries of the backup, and those of the old home that the backup deliberately lacks.
func (k *packer) backup(ctx context.Context, j *restoreJob, old *oldHome) error {
	has, err := j.manifest.Index.Has(".")
	if err != nil {
		return err
	}
	if !has && k.pick.whole() {
		if err := k.entry(&tar.Header{Typeflag: tar.TypeDir, Name: ".", Mode: 0o755, Uid: k.owner.uid, Gid: k.owner.gid}, strings.NewReader("")); err != nil {
			return err
		}
	}

	err = j.eachOfBackup(ctx, func(h *tar.Header, content io.Reader) error {
		k.own(h)
		k.weigh(h)
		if h.Name == "." && !k.pick.whole() {
			return nil
		}
		if !k.pick.above[h.Name] {
			j.count(h)
		}
		return k.entry(h, content)
	})
	if err != nil {
		return err
	}
	j.summary.Inexact = k.inexact()
	return k.carry(ctx, j, old)
}

// weigh counts what an engine does not write as the header says.
func (k *packer) weigh(h *tar.Header) {
	if h.ModTime.Before(time.Unix(0, 0)) {
		k.lost.times++
	}
	if h.PAXRecords[archive.RecordTwin] != "" {
		k.lost.twins++
	}
	if h.PAXRecords[archive.RecordData] != "" {
		k.lost.holes++
	}
}

func (k *packer) inexact() (kinds []archive.Inexact) {
	for _, kind := range []archive.Inexact{{Kind: archive.InexactHoles, Entries: &k.lost.holes}, {Kind: archive.InexactEarlyTimes, Entries: &k.lost.times}, {Kind: archive.InexactTwins, Entries: &k.lost.twins}} {
		if *kind.Entries > 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// old packs the old home's selected entries as they were.
func (k *packer) old(ctx context.Context, old *oldHome) error {
	return old.each(ctx, func(name string, h *tar.Header, content io.Reader) error {
		if k.pick.root(name) == "" {
			return nil
		}
		h.Name = name
		return k.entry(h, content)
	})
}

// carry packs what the backup left out on purpose from the old home, with the folders above it; the rest is told as
// missing.
func (k *packer) carry(ctx context.Context, j *restoreJob, old *oldHome) error {
	wanted := j.leftAlone(k.then)
	kept := map[string]bool{}
	err := k.carryFrom(ctx, old, wanted, kept)
	j.summary.Kept = slices.Sorted(maps.Keys(kept))
	for _, x := range j.leftOut() {
		if !kept[x.Path] {
			j.summary.Missing = append(j.summary.Missing, x)
		}
	}

	return err
}

func (k *packer) carryFrom(ctx context.Context, old *oldHome, wanted []string, kept map[string]bool) error {
	if len(wanted) == 0 {
		return nil
	}
	folders := map[string]*tar.Header{}
	return old.each(ctx, func(name string, h *tar.Header, content io.Reader) error {
		h.Name = name
		if h.Typeflag == tar.TypeDir {
			folders[name] = h
		}
		of := slices.IndexFunc(wanted, func(w string) bool { return name == w || strings.HasPrefix(name, w+"/") })
		if _, there := k.then[name]; of < 0 || there || !isContent(h) || !k.linkable(h) || !k.placeable(name) {
			return nil
		}
		if err := k.folders(name, folders); err != nil {
			return err
		}
		kept[wanted[of]] = true
		return k.entry(h, content)
	})
}

func (k *packer) linkable(h *tar.Header) bool {
	return h.Typeflag != tar.TypeLink || k.then[h.Linkname].kind == tar.TypeReg
}

// placeable reports whether everything above name is a folder in the new home, or can become one: nothing is written
// through a link of the backup.
func (k *packer) placeable(name string) bool {
	for at := parent(name); at != "."; at = parent(at) {
		if t, there := k.then[at]; there && t.kind != tar.TypeDir {
			return false
		}
	}
	return true
}

func (k *packer) folders(name string, known map[string]*tar.Header) error {
	at := parent(name)
	if _, there := k.then[at]; there || at == "." {
		return nil
	}
	if err := k.folders(at, known); err != nil {
		return err
	}
	if known[at] == nil {
		return fmt.Errorf("the folder %q above %q is not in the old home", at, name)
	}
	return k.entry(known[at], strings.NewReader(""))
}

// own makes the owner of the backup's home that of the target's home. Root's files stay root's, on both sides: that is
// how a sandbox keeps settings from its agent.
func (k *packer) own(h *tar.Header) {
	if h.Name == "." {
		k.source = owner{h.Uid, h.Gid}
	}
	if k.nobody {
		h.Uid, h.Gid, h.Uname, h.Gname = k.owner.uid, k.owner.gid, "", ""
		return
	}
	if k.source.uid != 0 && k.owner.uid != 0 && h.Uid == k.source.uid {
		h.Uid, h.Uname = k.owner.uid, ""
	}
	if k.source.gid != 0 && k.owner.gid != 0 && h.Gid == k.source.gid {
		h.Gid, h.Gname = k.owner.gid, ""
	}
}

// entry packs one entry. A root that is a folder is preceded by an empty file of its name, which removes what is there.
func (k *packer) entry(h *tar.Header, content io.Reader) error {
	out := *h
	out.Name = k.path(h.Name)
	if out.Format != tar.FormatPAX {
		out.Format = tar.FormatUnknown // its names are longer now than they were
	}
	if h.Typeflag == tar.TypeLink {
		out.Linkname = k.path(h.Linkname)
	}
	if h.Typeflag == tar.TypeDir {
		if !k.plain && slices.Contains(k.pick.roots, h.Name) {
			wipe := &tar.Header{Typeflag: tar.TypeReg, Name: out.Name, Mode: 0o600, ModTime: time.Unix(0, 0)}
			if err := k.tar.WriteHeader(wipe); err != nil {
				return err
			}
		}
		out.Name += "/"
	}

	if err := k.tar.WriteHeader(&out); err != nil {
		return err
	}
	t, err := k.take.facts(h, content, k.tar, k.then)
	k.then[h.Name] = t
	return err
}

func (k *packer) path(name string) string {
	if name == "." {
		return k.base
	}
	return k.base + "/" + name
}

// confirm reads the home back and compares it with what was written.
func (j *restoreJob) confirm(ctx context.Context, h home.Home, want map[string]entryFacts) error {
	wrong, extra, err := j.differences(ctx, h, want)
	if err != nil {
		return fmt.Errorf("reading back what was restored: %w", err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s not as written, the first is %q", size.Count(len(wrong), "entry is", "entries are"), wrong[0])
	}
	if len(extra) > 0 {
		return fmt.Errorf("%s still there, to be replaced, the first is %q", size.Count(len(extra), "entry is", "entries are"), extra[0])
	}
	return nil
}

// confirmNew is confirm by the shortest way to the container's files. The engine has the last word: anything but
// complete agreement is left to its own reading.
func (p *containerPlace) confirmNew(ctx context.Context, j *restoreJob, want map[string]entryFacts) error {
	j.summary.ReadBack = ReadBackLayer
	if now := p.lookAtLayer(ctx, j); now != nil {
		if wrong, extra := j.diff(now, want); len(wrong)+len(extra) == 0 {
			return nil
		}
	}

	j.summary.ReadBack = ReadBackEngine
	return j.confirm(ctx, p, want)
}

// confirmOld reads the home back after an undo. What the restore had added may be left over; what was there must be
// there.
func (j *restoreJob) confirmOld(ctx context.Context, h home.Home, want map[string]entryFacts) error {
	wrong, _, err := j.differences(ctx, h, want)
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("%s not as before, the first is %q", size.Count(len(wrong), "entry is", "entries are"), wrong[0])
	}
	return err
}

func (j *restoreJob) differences(ctx context.Context, h home.Home, want map[string]entryFacts) (wrong, extra []string, err error) {
	now, err := j.look(ctx, h)
	if err != nil {
		return nil, nil, err
	}
	wrong, extra = j.diff(now, want)
	return wrong, extra, nil
}

func (j *restoreJob) diff(now, want map[string]entryFacts) (wrong, extra []string) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, wanted := now[name], want[name]
		if j.ignoreOwners {
			have.owner, have.mode, wanted.mode = wanted.owner, have.mode&0o777, wanted.mode&0o777
		}
		if j.pick.root(name) != "" && have != wanted {
			wrong = append(wrong, name)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, known := want[name]; !known && (name != "." || !j.ignoreOwners) {
			extra = append(extra, name)
		}
	}
	return wrong, extra
}
