package backuptest

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

// FakeEngine is a container engine in memory. Its archive API unpacks as Docker's does: an entry that is no folder
// replaces whatever has its name.
type FakeEngine struct {
	Freezer
	Files  map[string]map[string]Entry // container → path without leading slash → entry
	Mounts []engine.Mount
	Writes int
	Rm     bool   // its containers go when they stop
	Role   string // label of its containers since OpenShell 0.1
	Broken struct {
		Write func(n int) (after int, err error) // fail the n-th write after so many entries
		Read  func(id string) error
		Stop  error
		Start error
	}
	Size int64
}

// Add makes a container whose home has entries.
func (f *FakeEngine) Add(id, state string, entries ...Entry) sandbox.Sandbox {
	f.State[id] = state
	f.Files[id] = map[string]Entry{"sandbox": {Name: "sandbox", Kind: tar.TypeDir, Mode: 0o755, Uid: 998}}
	for _, e := range entries {
		full := path.Join("sandbox", e.Name)
		h := e.Header()
		e.Kind, e.Mode = h.Typeflag, h.Mode
		f.Files[id][full] = e
	}

	c := engine.Container{ID: id, Name: "openshell-" + id[:2], State: state}
	return sandbox.Sandbox{Name: "box-" + id[:2], Registered: true, Container: &c, Standing: sandbox.Ready, Route: sandbox.ByContainer}
}

// Host is an address that nobody dials.
func (f *FakeEngine) Host() string { return "unix:///fake" }

// Inspect is the container as a Freezer has it, with its mounts.
func (f *FakeEngine) Inspect(ctx context.Context, id string) (engine.Container, error) {
	c, err := f.Freezer.Inspect(ctx, id)
	c.Mounts, c.AutoRemove = f.Mounts, f.Rm
	if f.Role != "" {
		c.Labels = map[string]string{engine.LabelRole: f.Role}
	}
	return c, err
}

// Start lets a container run.
func (f *FakeEngine) Start(_ context.Context, id string) error {
	return errors.Join(f.Set("start", id, "running"), f.Broken.Start)
}

// Stop ends a container.
func (f *FakeEngine) Stop(_ context.Context, id string) error {
	if f.Broken.Stop != nil {
		return f.Broken.Stop
	}
	return f.Set("stop", id, "exited")
}

// Stat looks at one path of a home.
func (f *FakeEngine) Stat(_ context.Context, id, name string) (engine.FileFact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, found := f.Files[id][strings.TrimPrefix(name, "/")]
	switch {
	case name == "/": // which every container has
		return engine.FileFact{Mode: fs.ModeDir}, nil
	case !found:
		// A HEAD request has no body: the client of Docker then speaks of the API.
		return engine.FileFact{}, fmt.Errorf("%w: request returned 404 Not Found for API route and version %s, check if the server supports it", fs.ErrNotExist, name)
	case e.Kind == tar.TypeSymlink:
		return engine.FileFact{Mode: fs.ModeSymlink, Link: e.Link}, nil
	case e.Kind == tar.TypeDir:
		return engine.FileFact{Mode: fs.ModeDir}, nil
	}

	return engine.FileFact{}, nil
}

// Read gives what the container holds below name as a tar stream, as an engine's archive API does.
func (f *FakeEngine) Read(_ context.Context, id, name string) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Broken.Read != nil {
		if err := f.Broken.Read(id); err != nil {
			return nil, err
		}
	}

	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, full := range slices.Sorted(maps.Keys(f.Files[id])) {
		e := f.Files[id][full]
		h := e.Header()
		h.Name, h.Mode = full, e.Mode
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		_, _ = io.WriteString(w, e.Body)
	}

	return io.NopCloser(&out), w.Close()
}

// Write unpacks a tar stream into a folder of the container, as an engine's archive API does.
func (f *FakeEngine) Write(_ context.Context, id, dir string, stream io.Reader) error {
	f.Writes++
	after, failure := -1, error(nil)
	if f.Broken.Write != nil {
		after, failure = f.Broken.Write(f.Writes)
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

func (f *FakeEngine) put(id, full string, h *tar.Header, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := f.Files[id]
	if have, found := files[full]; found && (have.Kind != tar.TypeDir || h.Typeflag != tar.TypeDir) {
		maps.DeleteFunc(files, func(name string, _ Entry) bool { return name == full || strings.HasPrefix(name, full+"/") })
	}
	files[full] = Entry{Name: full, Body: body, Link: h.Linkname, Kind: h.Typeflag, Mode: h.Mode, Uid: h.Uid}
}

// Describe is a recipe with one secret name and one secret label.
func (f *FakeEngine) Describe(_ context.Context, id string, sized bool) (engine.RecipeFacts, error) {
	facts := engine.RecipeFacts{Image: "image:1", ImageID: "sha256:1", EnvNames: []string{"TOKEN"}, Labels: map[string]string{"a": "b", "api-token": "x"}}
	if sized {
		facts.Size = f.Size
	}
	return facts, nil
}

// ImageWorkdir is that of an image without one.
func (f *FakeEngine) ImageWorkdir(context.Context, string) (string, error) { return "", nil }

// Home is what a container's home holds: path below it → content.
func (f *FakeEngine) Home(id string) map[string]string {
	found := map[string]string{}
	for full, e := range f.Files[id] {
		found[strings.TrimPrefix(strings.TrimPrefix(full, "sandbox"), "/")] = e.Body + e.Link
	}
	return found
}

// NewFakeEngine has no container yet.
func NewFakeEngine() *FakeEngine {
	return &FakeEngine{Freezer: Freezer{State: map[string]string{}}, Files: map[string]map[string]Entry{}}
}
