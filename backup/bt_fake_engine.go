package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

// fakeEngine is a container engine in memory. Its archive API unpacks as Docker's does: an entry that is no folder replaces
// whatever has its name.
type fakeEngine struct {
	freezer
	files  map[string]map[string]entry // container → path without leading slash → entry
	mounts []engine.Mount
	writes int
	rm     bool // its containers go when they stop
	broken struct {
		write func(n int) (after int, err error) // fail the n-th write after so many entries
		read  func(id string) error
		stop  error
		start error
	}
	size int64
}

// add makes a container whose home has entries.
func (f *fakeEngine) add(id, state string, entries ...entry) sandbox.Sandbox {
	f.state[id] = state
	f.files[id] = map[string]entry{"sandbox": {name: "sandbox", kind: tar.TypeDir, mode: 0o755, uid: 998}}
	for _, e := range entries {
		full := path.Join("sandbox", e.name)
		h := e.header()
		e.kind, e.mode = h.Typeflag, h.Mode
		f.files[id][full] = e
	}
	c := engine.Container{ID: id, Name: "openshell-" + id[:2], State: state}
	return sandbox.Sandbox{Name: "box-" + id[:2], Registered: true, Container: &c, Standing: sandbox.Ready, Route: sandbox.ByContainer}
}

func (f *fakeEngine) Host() string { return "unix:///fake" }

func (f *fakeEngine) Inspect(ctx context.Context, id string) (engine.Container, error) {
	c, err := f.freezer.Inspect(ctx, id)
	c.Mounts, c.AutoRemove = f.mounts, f.rm
	return c, err
}

func (f *fakeEngine) Start(_ context.Context, id string) error {
	return errors.Join(f.set("start", id, "running"), f.broken.start)
}

func (f *fakeEngine) Stop(_ context.Context, id string) error {
	if f.broken.stop != nil {
		return f.broken.stop
	}
	return f.set("stop", id, "exited")
}

func (f *fakeEngine) Stat(_ context.Context, id, name string) (engine.FileFact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, found := f.files[id][strings.TrimPrefix(name, "/")]
	switch {
	case !found:
		// A HEAD request has no body: the client of Docker then speaks of the API.
		return engine.FileFact{}, fmt.Errorf("%w: request returned 404 Not Found for API route and version %s, check if the server supports it", fs.ErrNotExist, name)
	case e.kind == tar.TypeSymlink:
		return engine.FileFact{Mode: fs.ModeSymlink, Link: e.link}, nil
	case e.kind == tar.TypeDir:
		return engine.FileFact{Mode: fs.ModeDir}, nil
	}
	return engine.FileFact{}, nil
}

func (f *fakeEngine) Read(_ context.Context, id, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken.read != nil {
		if err := f.broken.read(id); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, full := range slices.Sorted(maps.Keys(f.files[id])) {
		e := f.files[id][full]
		h := e.header()
		h.Name, h.Mode = full, e.mode
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		_, _ = io.WriteString(w, e.body)
	}
	return io.NopCloser(&out), w.Close()
}

func (f *fakeEngine) Write(_ context.Context, id, dir string, stream io.Reader) error {
	f.writes++
	after, failure := -1, error(nil)
	if f.broken.write != nil {
		after, failure = f.broken.write(f.writes)
	}
	r := tar.NewReader(stream)
	for n := 0; ; n++ {
		if failure != nil && n == after {
			return failure
		}
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		f.put(id, strings.TrimPrefix(path.Join(dir, h.Name), "/"), h, string(body))
	}
}

func (f *fakeEngine) put(id, full string, h *tar.Header, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := f.files[id]
	if have, found := files[full]; found && (have.kind != tar.TypeDir || h.Typeflag != tar.TypeDir) {
		maps.DeleteFunc(files, func(name string, _ entry) bool { return name == full || strings.HasPrefix(name, full+"/") })
	}
	files[full] = entry{name: full, body: body, link: h.Linkname, kind: h.Typeflag, mode: h.Mode, uid: h.Uid}
}

func (f *fakeEngine) Describe(_ context.Context, id string, sized bool) (engine.RecipeFacts, error) {
	facts := engine.RecipeFacts{Image: "image:1", ImageID: "sha256:1", EnvNames: []string{"TOKEN"}, Labels: map[string]string{"a": "b", "api-token": "x"}}
	if sized {
		facts.Size = f.size
	}
	return facts, nil
}

func (f *fakeEngine) ImageWorkdir(context.Context, string) (string, error) { return "", nil }

// home is what a container's home holds: path below it → content.
func (f *fakeEngine) home(id string) map[string]string {
	found := map[string]string{}
	for full, e := range f.files[id] {
		found[strings.TrimPrefix(strings.TrimPrefix(full, "sandbox"), "/")] = e.body + e.link
	}
	return found
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{freezer: freezer{state: map[string]string{}}, files: map[string]map[string]entry{}}
}
