package restore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/tree"
)

// fill makes the new home in the stage and reads it back. Every entry of the backup is proved on the way.
func (x *exchange) fill(ctx context.Context, j *restoreJob) error {
	j.meter.Enter(home.StageWriting)
	folder, err := os.Open(staged(x.plan, stagedHome))
	if err != nil {
		return err
	}
	defer folder.Close()
	w := tree.NewWriter(folder)
	defer w.Close()
	x.then, x.above = map[string]entryFacts{}, map[string]bool{}
	owners, take := newPacker("", j.pick, x.owner), newFactsReader()
	err = j.eachOfBackup(ctx, func(h *tar.Header, content io.Reader) error {
		owners.own(h)
		j.count(h)
		return x.write(w, take, h, content, j.meter)
	})
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		return err
	}
	j.proven = true
	j.meter.Enter(home.StageVerifying)
	j.summary.ReadBack = ReadBackLayer
	return x.confirm(ctx, folder, j.meter)
}

// write makes one entry and notes what must be there then.
func (x *exchange) write(w *tree.Writer, take factsReader, h *tar.Header, content io.Reader, m *home.Meter) (err error) {
	for at := parent(h.Name); at != "."; at = parent(at) {
		x.above[at] = true
	}
	if h.Typeflag == tar.TypeLink {
		x.then[h.Name] = x.then[h.Linkname]
		return w.Add(h, content)
	}
	fact := factsOf(h)
	proof, ok := content.(*archive.EntryProof)
	if ok && proof.Hashes() { // which hashes every byte already
		if err = w.Add(h, m.Reader(proof)); err == nil && h.Typeflag == tar.TypeReg {
			fact.digest, err = proof.Digest()
		}
	} else {
		take.sum.Reset()
		if err = w.Add(h, io.TeeReader(m.Reader(content), take.sum)); err == nil && h.Typeflag == tar.TypeReg {
			fact.digest = archive.ShortDigest(take.sum)
		}
	}

	x.then[h.Name] = fact
	return err
}

// factsOf is what a header says, attributes included.
func factsOf(h *tar.Header) entryFacts {
	t := entryFacts{kind: h.Typeflag, mode: h.Mode & 0o7777, owner: [2]int{h.Uid, h.Gid}, size: h.Size, link: h.Linkname}
	if h.Typeflag == tar.TypeSymlink {
		t.mode = 0
	}
	var marks []string
	for key, value := range h.PAXRecords {
		if name, is := strings.CutPrefix(key, archive.RecordAttribute); is && tree.Belongs(name) {
			marks = append(marks, fmt.Sprintf("%q=%x", name, value))
		}
	}

	slices.Sort(marks)
	t.marks = strings.Join(marks, " ")
	return t
}

// confirm reads the new home back and compares it with what was written.
func (x *exchange) confirm(ctx context.Context, folder *os.File, m *home.Meter) error {
	c := &confirmation{want: x.then, above: x.above, take: newFactsReader()}
	changed, err := tree.Read(ctx, folder, c, tree.ReadOptions{Through: m.Reader})
	switch {
	case err != nil:
		return fmt.Errorf("reading back what was restored: %w", err)
	case len(changed) > 0:
		return fmt.Errorf("somebody else writes to %q in the new home", changed[0])
	case c.seen != len(x.then):
		return fmt.Errorf("%d of %d entries are there that were written", c.seen, len(x.then))
	}
	return nil
}

// confirmation takes what is read back.
type confirmation struct {
	want  map[string]entryFacts
	above map[string]bool // folders that the backup does not have, and that were made for what is in them
	take  factsReader
	seen  int
}

// Add compares one entry.
func (c *confirmation) Add(h *tar.Header, r io.Reader) error {
	want, known := c.want[h.Name]
	if !known {
		if h.Typeflag == tar.TypeDir && (c.above[h.Name] || h.Name == ".") {
			return nil
		}
		return fmt.Errorf("%q is there and was not written", h.Name)
	}

	c.seen++
	got := factsOf(h)
	switch h.Typeflag {
	case tar.TypeLink:
		got = c.want[h.Linkname]
	case tar.TypeReg:
		c.take.sum.Reset()
		if _, err := io.CopyBuffer(archive.OnlyWriter{Writer: c.take.sum}, r, c.take.buffer); err != nil {
			return err
		}
		got.digest = archive.ShortDigest(c.take.sum)
	}

	if got != want {
		return fmt.Errorf("%q is not as it was written", h.Name)
	}
	return nil
}

// Omit is a mount in what nobody else has: it is nothing that was written.
func (c *confirmation) Omit(string, string) {}

// carry copies from the old home what no backup holds: what this one left out, pipes, sockets and devices.
func (x *exchange) carry(ctx context.Context, j *restoreJob) error {
	c := &carrier{x: x, wanted: map[string]bool{}, above: map[string]bool{}, seen: map[string]*tar.Header{}, kept: map[string]bool{}}
	for _, name := range append(j.leftAlone(x.then), x.wants...) {
		if _, there := x.then[name]; !there {
			c.want(name)
		}
	}

	if len(c.wanted) > 0 {
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("carrying over what no backup holds: %w", err)
		}
	}

	for name := range c.kept {
		j.summary.Kept = append(j.summary.Kept, name)
	}
	slices.Sort(j.summary.Kept)
	for _, left := range j.leftOut() {
		if !c.kept[left.Path] {
			j.summary.Missing = append(j.summary.Missing, left)
		}
	}

	return nil
}

// carrier takes entries of the old home into the new one.
type carrier struct {
	x      *exchange
	w      *tree.Writer
	wanted map[string]bool
	above  map[string]bool        // folders above what is wanted; several readers look at it at once
	seen   map[string]*tar.Header // those of them that were read
	kept   map[string]bool
}

func (c *carrier) want(name string) {
	c.wanted[name] = true
	for at := parent(name); at != "."; at = parent(at) {
		c.above[at] = true
	}
}

func (c *carrier) run(ctx context.Context) error {
	old, err := home.Stopped(c.x.at, c.x.plan.Volume, c.x.Dir)
	if err != nil {
		return err
	}
	defer old.Close()
	folder, err := os.Open(staged(c.x.plan, stagedHome))
	if err != nil {
		return err
	}
	defer folder.Close()
	c.w = tree.NewWriter(folder)
	c.w.Onto = true
	defer c.w.Close()
	_, err = tree.Read(ctx, old.Folder, c, tree.ReadOptions{Only: func(name string) bool {
		return c.above[name] || c.root(name) != ""
	}})
	if err != nil {
		return err
	}
	return c.w.Finish()
}

// root is the wanted path that name is or lies below; "" when it is none.
func (c *carrier) root(name string) string {
	for at := name; at != "."; at = parent(at) {
		if c.wanted[at] {
			return at
		}
	}
	return ""
}

// Add takes an entry of the old home, where it has a place in the new one.
func (c *carrier) Add(h *tar.Header, r io.Reader) error {
	root := c.root(h.Name)
	if c.above[h.Name] && root == "" {
		c.seen[h.Name] = h
	}
	if _, there := c.x.then[h.Name]; there || root == "" || !c.placeable(h.Name) || h.Typeflag == tar.TypeLink && !c.has(h.Linkname) {
		return nil
	}
	if err := c.folders(parent(h.Name)); err != nil {
		return err
	}
	if err := c.w.Add(h, r); err != nil {
		return err
	}
	c.x.then[h.Name] = factsOf(h)
	c.kept[root] = true
	return nil
}

func (c *carrier) has(name string) bool { return c.x.then[name].kind == tar.TypeReg }

// placeable reports whether everything above name is a folder in the new home, or can become one.
func (c *carrier) placeable(name string) bool {
	for at := parent(name); at != "."; at = parent(at) {
		if t, there := c.x.then[at]; there && t.kind != tar.TypeDir {
			return false
		}
	}
	return true
}

// folders makes the folders above an entry as they are in the old home, where the new one has none.
func (c *carrier) folders(name string) error {
	if _, there := c.x.then[name]; there || name == "." {
		return nil
	}
	if err := c.folders(path.Dir(name)); err != nil {
		return err
	}
	h := c.seen[name]
	if h == nil {
		return errors.New("a folder above it is not in the old home")
	}
	c.x.then[name] = factsOf(h)
	return c.w.Add(h, strings.NewReader(""))
}

// Omit is a mount in the old home, which an exchange refuses before.
func (c *carrier) Omit(string, string) {}
