package restore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"

	"github.com/zeebo/blake3"
)

// entryFacts is what is compared of one entry: everything that a restore brings, but for times.
type entryFacts struct {
	kind   byte
	mode   int64
	owner  [2]int // user, group
	size   int64
	link   string
	digest string
	marks  string // extended attributes; only on the direct way
}

// factsReader takes the facts of one entry after the other. Its hash and its buffer serve them all: a home may have
// very many files.
type factsReader struct {
	sum    *blake3.Hasher
	buffer []byte
}

func newFactsReader() factsReader {
	return factsReader{sum: blake3.New(), buffer: make([]byte, 256<<10)}
}

// facts reads the content, hands it on to also, and takes it all in. A hard link is whatever it links to.
func (k factsReader) facts(h *tar.Header, content io.Reader, also io.Writer, known map[string]entryFacts) (entryFacts, error) {
	t := entryFacts{kind: h.Typeflag, mode: h.Mode & 0o7777, owner: [2]int{h.Uid, h.Gid}}
	switch h.Typeflag {
	case tar.TypeLink:
		return known[archive.CleanName(h.Linkname)], nil
	case tar.TypeSymlink:
		t.link, t.mode = h.Linkname, 0
	case tar.TypeReg:
		if proof, ok := content.(*archive.EntryProof); ok && proof.Hashes() { // which hashes every byte already
			n, err := io.CopyBuffer(archive.OnlyWriter{Writer: also}, proof, k.buffer)
			if err == nil {
				t.digest, err = proof.Digest()
			}
			t.size = n
			return t, err
		}

		k.sum.Reset()
		n, err := io.CopyBuffer(io.MultiWriter(k.sum, also), content, k.buffer)
		if err != nil {
			return t, err
		}
		t.size, t.digest = n, archive.ShortDigest(k.sum)
	}
	return t, nil
}

// each walks a home as it is now.
func (j *restoreJob) each(ctx context.Context, h home.Home, visit func(name string, h *tar.Header, content io.Reader) error) error {
	watch, stop := home.WatchStall(ctx, archive.StallLimit(j.Stall).OrDefault())
	defer stop()
	stream, base, err := h.Read(watch.Ctx)
	if err != nil {
		return watch.Blame(err)
	}
	defer stream.Close()
	return watch.Blame(eachEntry(archive.NewTarWalk(j.meter.Reader(watch.Reader(stream)), archive.StallLimit(j.Stall)), base, visit))
}

// eachEntry walks a tar stream with base taken off the names; entries outside of base are passed over.
func eachEntry(walk *archive.TarWalk, base string, visit func(name string, h *tar.Header, content io.Reader) error) error {
	for {
		h, err := walk.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the stream from the sandbox broke off: %w", err)
		}
		name, ok := home.Rebase(h.Name, base)
		if !ok {
			continue
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname, _ = home.Rebase(h.Linkname, base)
		}
		if err := visit(name, h, walk.Tar); err != nil {
			return err
		}
	}
}

// look takes in what of a home is selected.
func (j *restoreJob) look(ctx context.Context, h home.Home) (map[string]entryFacts, error) {
	found, take := map[string]entryFacts{}, newFactsReader()
	err := j.each(ctx, h, func(name string, h *tar.Header, content io.Reader) error {
		if j.pick.root(name) == "" {
			j.pick.note(name)
			return nil
		}
		if j.pick.spares(name) || j.stageName != "" && (name == j.stageName || strings.HasPrefix(name, j.stageName+"/")) {
			return nil
		}
		t, err := take.facts(h, content, io.Discard, found)
		found[name] = t
		return err
	})
	return found, err
}

// compare fills in what a restore would change. Owners are left out: they become what the target needs. Every entry of
// the backup is proven while it is read, this once.
func (j *restoreJob) compare(ctx context.Context) error {
	now, err := j.look(ctx, j.place)
	if err != nil {
		return err
	}
	for name := range now {
		j.notice(name)
	}
	j.stripped.leave()
	then, take := map[string]entryFacts{}, newFactsReader()
	err = j.eachOfBackup(ctx, func(h *tar.Header, content io.Reader) error {
		if j.pick.spares(h.Name) || j.pick.root(h.Name) == "" {
			return nil
		}
		t, err := take.facts(h, content, io.Discard, then)
		then[h.Name] = t
		j.count(h)
		return err
	})
	if err != nil {
		return err
	}
	j.differ(now, then)
	j.told()
	return nil
}

// differ notes what a restore would make of what is there now, so that it is what was there then.
func (j *restoreJob) differ(now, then map[string]entryFacts) {
	kept := j.leftAlone(then)
	for _, name := range slices.Sorted(maps.Keys(then)) {
		have, found := now[name]
		if want := then[name]; !found {
			j.summary.Added = append(j.summary.Added, name)
		} else if have.owner = want.owner; have != want {
			j.summary.Changed = append(j.summary.Changed, name)
		}
	}

	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, stays := then[name]; stays || name == "." {
			continue
		}
		if slices.Contains(kept, name) {
			j.summary.Kept = append(j.summary.Kept, name)
		} else {
			j.summary.Removed = append(j.summary.Removed, name)
		}
	}
}

// told says what the restore leaves as it is because of mounts.
func (j *restoreJob) told() {
	j.summary.Mounted = j.pick.mounts
	if staying := j.pick.staying(); staying != "" {
		j.summary.Warnings = append(j.summary.Warnings, staying)
	}
}

// eachOfBackup walks the selected entries of the backup, and proves every entry on the way: the header before it is
// visited, the bytes before the next one is. Everything that could lead a write out of the home is refused here: odd
// names, entries below something that is no folder, hard links to anything but a file that came before.
func (j *restoreJob) eachOfBackup(ctx context.Context, visit func(h *tar.Header, content io.Reader) error) (err error) {
	r, err := archive.Open(ctx, j.Backup.Dir, j.manifest, archive.OpenOptions{Identities: j.Identities, Proven: !j.DryRun})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	r.TakeDigests(j.manifest)
	kinds, proof := archive.NewKinds(), archive.NewEntryProof(r, j.manifest)
	for {
		h, err := proof.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = archive.CleanName(h.Name)
		if err := archive.SafeEntry(h, kinds); err != nil {
			return err
		}
		kinds.Set(h.Name, h.Typeflag)
		unpicked := h.Name != "." && j.pick.root(h.Name) == "" && !j.pick.above[h.Name]
		mountpoint := h.Typeflag == tar.TypeDir && slices.Contains(j.pick.mounts, h.Name)
		if unpicked || j.stripped.left[h.Name] || j.pick.spares(h.Name) && !mountpoint {
			continue
		}
		if err := visit(h, proof); err != nil {
			return err
		}
	}
}

func (j *restoreJob) count(h *tar.Header) {
	j.summary.Entries++
	if h.Typeflag == tar.TypeReg {
		j.summary.Files++
		j.summary.Bytes += h.Size
	}
}

// leftAlone names what the backup deliberately does not hold (credentials, devices): the target's own stays. The same
// goes for what the backup of the old content left out, for there would be no copy of it once the restore is done.
func (j *restoreJob) leftAlone(then map[string]entryFacts) []string {
	var names []string
	for _, x := range j.leftOut() {
		if _, held := then[x.Path]; !held {
			names = append(names, x.Path)
		}
	}
	return names
}

// leftOut is what of the selection is in no backup, each path once.
func (j *restoreJob) leftOut() []archive.Exclusion {
	var out []archive.Exclusion
	seen := map[string]bool{}
	for _, x := range slices.Concat(j.stripped.exclusions, j.stripped.others, j.omitted) {
		if !seen[x.Path] && !j.pick.spares(x.Path) && j.pick.root(x.Path) != "" {
			seen[x.Path] = true
			out = append(out, x)
		}
	}
	return out
}
