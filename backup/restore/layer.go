package restore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/zeebo/blake3"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/engine"
)

// errLayered means that a home cannot be judged by the writable layer alone.
var errLayered = errors.New("the home is more than the writable layer")

// layerReaders is how many files are read at once.
const layerReaders = 4

// lookAtLayer takes in a container's home from the files that its engine keeps, which is what the container sees and
// much faster than having the engine pack and send them. That needs the engine on this host and the right to read its
// files; found is nil when it is not possible, and the engine must be asked.
func (p *containerPlace) lookAtLayer(ctx context.Context, j *restoreJob) (found map[string]entryFacts) {
	e, knows := p.Engine.(home.Layered)
	if !knows || !j.pick.whole() {
		return nil
	}
	layer, err := e.Layer(ctx, p.ID)
	if err != nil || p.Unmounted(ctx, layer.Mounts) != nil {
		return nil
	}
	home, err := homeInLayer(layer, p.Dir)
	if err != nil {
		return nil
	}
	defer home.Close()
	if found, err = readTree(ctx, home, j.meter); err != nil {
		return nil
	}
	return found
}

// homeInLayer opens a folder of the container in the writable layer. It is refused when anything of it may lie in a
// layer below: then the writable layer is not what the container sees.
func homeInLayer(l engine.Layer, dir string) (*os.Root, error) {
	name := strings.TrimPrefix(dir, "/")
	home, err := openTree(l.Dir, name)
	if err != nil {
		return nil, err
	}
	opaque, err := hidesLower(home)
	if err == nil && !opaque && isBelow(l.Lower, name) {
		err = errLayered
	}
	if err != nil {
		return nil, errors.Join(err, home.Close())
	}
	return home, nil
}

// isBelow reports whether a layer of the image may have name; where the layers are not known, it may.
func isBelow(lower []string, name string) bool {
	if len(lower) == 0 {
		return true
	}
	for _, dir := range lower {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return true
		}
		_, err = root.Lstat(name)
		_ = root.Close() // was only read
		if !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// openTree opens a folder below dir; no link on the way is followed.
func openTree(dir, name string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(name, "/") {
		next, err := openPart(root, part)
		_ = root.Close() // was only read
		if err != nil {
			return nil, err
		}
		root = next
	}
	return root, nil
}

func openPart(root *os.Root, part string) (*os.Root, error) {
	seen, err := root.Lstat(part)
	if err != nil {
		return nil, err
	}
	next, err := root.OpenRoot(part)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil && (!seen.IsDir() || !os.SameFile(seen, opened)) {
		err = errLayered
	}
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}

// treeReader takes in a tree of files, several at once.
type treeReader struct {
	root  *os.Root
	meter *home.Meter
	files chan string
	mu    sync.Mutex
	found map[string]entryFacts
	err   error
}

func readTree(ctx context.Context, root *os.Root, m *home.Meter) (map[string]entryFacts, error) {
	t := &treeReader{root: root, meter: m, files: make(chan string, 64), found: map[string]entryFacts{}}
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), layerReaders) {
		readers.Go(t.hashFiles)
	}
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, context.Cause(ctx), t.failure()); err != nil {
			return err
		}
		return t.visit(name, d)
	})
	close(t.files)
	readers.Wait()
	return t.found, errors.Join(err, t.err)
}

func (t *treeReader) visit(name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := t.isPlainFolder(name); err != nil {
			return err
		}
	}

	seen, err := traitOf(info)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		seen.link, err = t.root.Readlink(name)
	}
	if err != nil {
		return err
	}
	t.note(name, seen)
	if info.Mode().IsRegular() {
		t.files <- name
	}
	return nil
}

// isPlainFolder refuses a folder whose content the overlay takes from elsewhere.
func (t *treeReader) isPlainFolder(name string) error {
	dir, err := t.root.Open(name)
	if err != nil {
		return err
	}
	elsewhere, err := redirected(dir)
	if elsewhere {
		err = errLayered
	}
	return errors.Join(err, dir.Close())
}

func (t *treeReader) note(name string, seen entryFacts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found[filepath.ToSlash(name)] = seen
}

func (t *treeReader) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// hashFiles takes the digests of files until there are no more, also when one could not be read: the walk must not wait
// for ever.
func (t *treeReader) hashFiles() {
	sum, buffer := blake3.New(), make([]byte, 256<<10)
	for name := range t.files {
		seen, err := t.hash(name, sum, buffer)
		if err == nil {
			t.note(name, seen)
			continue
		}
		t.mu.Lock()
		t.err = errors.Join(t.err, err)
		t.mu.Unlock()
	}
}

// hash reads one file; a link that was put in its place is not followed.
func (t *treeReader) hash(name string, sum *blake3.Hasher, buffer []byte) (seen entryFacts, err error) {
	before, err := t.root.Lstat(name)
	if err != nil {
		return entryFacts{}, err
	}
	f, err := t.root.Open(name)
	if err != nil {
		return entryFacts{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return entryFacts{}, err
	}
	if !info.Mode().IsRegular() || !os.SameFile(before, info) {
		return entryFacts{}, errLayered
	}
	if seen, err = traitOf(info); err != nil {
		return entryFacts{}, err
	}
	sum.Reset()
	seen.size, err = io.CopyBuffer(archive.OnlyWriter{Writer: sum}, f, buffer)
	seen.digest = archive.ShortDigest(sum)
	t.meter.Bytes.Add(seen.size)
	return seen, err
}
