// Package registrytest is an image registry for tests: a real HTTP server on 127.0.0.1 that speaks the part of the
// distribution API (version 2) with which a container engine pushes and pulls. Engines talk to 127.0.0.0/8 without TLS.
// What was pushed is in memory; the registry can ask for a password, hold blobs back, forget tags, and die.
package registrytest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// Registry is one registry. Its methods may be called while it serves.
type Registry struct {
	// Address is where it listens, "127.0.0.1:40123": images are named Address/repository:tag.
	Address string

	server *http.Server
	done   chan struct{}
	once   sync.Once

	mu        sync.Mutex
	blobs     map[string][]byte   // by digest
	uploads   map[string][]byte   // by number
	manifests map[string]manifest // by repository@digest
	tags      map[string]string   // repository:tag → digest
	user      string
	password  string
	held      chan struct{} // nil: blobs are sent at once
	heldSize  int
	before    func(call string)
	calls     []string
}

// manifest is what a tag or digest names, with the media type that its client gave it.
type manifest struct {
	mediaType string
	content   []byte
}

// Start serves an empty registry until t ends.
func Start(t testing.TB) *Registry {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Registry{
		Address: listener.Addr().String(), done: make(chan struct{}),
		blobs: map[string][]byte{}, uploads: map[string][]byte{}, manifests: map[string]manifest{}, tags: map[string]string{},
	}
	r.server = &http.Server{Handler: r.routes()}
	go func() { _ = r.server.Serve(listener) }()
	t.Cleanup(r.Close)
	return r
}

// Close makes the registry die: nobody listens there any more, and what is under way is cut off.
func (r *Registry) Close() {
	r.once.Do(func() { close(r.done) })
	_ = r.server.Close()
}

// Demand lets nobody in without this user's password from now on.
func (r *Registry) Demand(user, password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.user, r.password = user, password
}

// Forget removes a tag; the manifest stays under its digest.
func (r *Registry) Forget(repository, tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tags, repository+":"+tag)
}

// Tag makes a tag name a manifest that the registry has.
func (r *Registry) Tag(repository, tag, digest string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.manifests[repository+"@"+digest]; !there {
		return fmt.Errorf("repository %q has no manifest %s", repository, digest)
	}
	r.tags[repository+":"+tag] = digest
	return nil
}

// Hold makes every blob of that size or more stop after its first half, from now on until release is called. An image's
// configuration is a blob of about 1 kB.
func (r *Registry) Hold(size int) (release func()) {
	held := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, r.heldSize = held, size
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.held == held {
			r.held = nil
			close(held)
		}
	}
}

// Before has do called with every call from now on, in the form of Calls, before it is answered.
func (r *Registry) Before(do func(call string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = do
}

// Digest is what a tag names now, "" when there is none.
func (r *Registry) Digest(repository, tag string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tags[repository+":"+tag]
}

// Calls is what the registry was asked so far, in order: "GET /v2/box/manifests/2".
func (r *Registry) Calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// fail answers in the registry's own form of an error.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
