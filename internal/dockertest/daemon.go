// Package dockertest is a container engine for tests: a real HTTP server on a unix socket that speaks the part of
// Docker's API which sandkeeper uses, over containers that exist in memory only. It keeps a log of what it was asked
// and can be made slow, hang, cut an answer short, or answer as something else. One table of promises runs against it
// and against a real daemon.
package dockertest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// APIVersion is the newest version of the API that the daemon speaks unless a test says otherwise.
const APIVersion = "1.41"

// Daemon is one engine. Its methods may be called while it serves.
type Daemon struct {
	// Socket is the path it listens on.
	Socket string

	server *http.Server
	stop   sync.Once
	done   chan struct{} // closed when the daemon stops: what hangs gives up

	mu         sync.Mutex
	oldest     string // version of the API; "" for 1.12
	newest     string // version of the API; "" for APIVersion
	id         string
	containers map[string]*Container // by id
	images     map[string]string     // reference → id
	kept       map[string]Image      // by id: what was committed
	workdirs   map[string]string     // by id: WORKDIR of the image
	published  map[string]Published  // reference → what its registry has
	login      string                // "user:password" that the registry asks for, or ""
	execs      map[string]*exec
	calls      []string
	faults     []*Fault
	made       int
	forgets    bool // see ForgetsImages
}

// Start serves a daemon until t ends.
func Start(t testing.TB) *Daemon {
	t.Helper()
	// A unix socket's path may have 107 bytes, and t.TempDir holds the test's whole name.
	dir, err := os.MkdirTemp("", "dockertest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("stopping the daemon: %v", err)
		}
	})
	return d
}

// ForgetsImages makes it a daemon with a containerd image store: an image whose last name a load gives to another is
// gone before the load has its layers (docs/facts/engines.md 1).
func (d *Daemon) ForgetsImages() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgets = true
}

// New serves a daemon on docker.sock in dir until Close.
func New(dir string) (*Daemon, error) {
	d := &Daemon{
		Socket: filepath.Join(dir, "docker.sock"), done: make(chan struct{}), id: "TEST:" + filepath.Base(dir),
		containers: map[string]*Container{}, images: map[string]string{}, kept: map[string]Image{}, execs: map[string]*exec{},
		published: map[string]Published{}, workdirs: map[string]string{},
	}
	listener, err := net.Listen("unix", d.Socket)
	if err != nil {
		return nil, err
	}
	d.server = &http.Server{Handler: d.faulty(d.routes())}
	go func() { _ = d.server.Serve(listener) }()
	return d, nil
}

// Close stops the daemon; what hangs in it ends. A daemon that is stopped stays so.
func (d *Daemon) Close() error {
	d.stop.Do(func() { close(d.done) })
	err := d.server.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Host is the daemon's address as DOCKER_HOST takes it.
func (d *Daemon) Host() string { return "unix://" + d.Socket }

// Add makes a container and returns its id. An empty ID is made up, an empty State is "running".
func (d *Daemon) Add(c Container) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made++
	c.fill(d.made)
	d.containers[c.ID] = &c
	if c.Image != "" {
		d.images[familiar(c.Image)] = c.ImageID
	}
	if c.Workdir != "" {
		d.workdirs[c.ImageID] = c.Workdir
	}
	return c.ID
}

// Identity is how the engine package tells the daemon from others.
func (d *Daemon) Identity() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return "docker " + d.id + " " + rootFolder
}

// Speaks makes the daemon one of these versions of the API: others are refused, in the words of moby's version
// middleware.
func (d *Daemon) Speaks(oldest, newest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.oldest, d.newest = oldest, newest
}

// api is the range of versions that the daemon speaks.
func (d *Daemon) api() (oldest, newest string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.oldest, "1.12"), cmp.Or(d.newest, APIVersion)
}

// Become makes the daemon another one: its ID is id from now on, and none of its containers is there.
func (d *Daemon) Become(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id = id
	clear(d.containers)
}

// Get is the container of that id or name as it is now, and whether there is one.
func (d *Daemon) Get(ref string) (Container, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(ref)
	if c == nil {
		return Container{}, false
	}
	now := *c
	now.Files = slices.Clone(c.Files)
	return now, true
}

// AddImage makes an image reference.
func (d *Daemon) AddImage(ref, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.images[familiar(ref)] = id
}

// Calls is what the daemon was asked so far, in order: "GET /containers/json?all=1", without the API version.
func (d *Daemon) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// find is the container of an id, an unambiguous beginning of one, or a name; the lock is held.
func (d *Daemon) find(ref string) *Container {
	if c := d.containers[ref]; c != nil {
		return c
	}
	var found *Container
	for id, c := range d.containers {
		switch {
		case c.Name == strings.TrimPrefix(ref, "/"):
			return c
		case ref != "" && strings.HasPrefix(id, ref):
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

func hexID(kind string, n int) string { return fmt.Sprintf("%s%0*x", kind, 64-len(kind), n) }
