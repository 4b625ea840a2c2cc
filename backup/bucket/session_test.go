package bucket

import (
	"net/http"
	"strings"
	"testing"

	"sandkeeper/internal/buckettest"
)

// mayNotRemove is a server that lets its client list, read and write below the host, and nothing else.
func mayNotRemove(r *http.Request) *buckettest.Fault {
	asked := r.URL.Query()
	if r.Method == http.MethodDelete || asked.Has("versions") || asked.Has("uploads") || asked.Has("object-lock") {
		return &buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	}
	return nil
}

// A host that may write and not remove, as docs/fleet.md advises, brings its backups all the same, every night. What its
// sessions leave holds up nobody, and goes with the next prune of a machine that may remove.
func TestAHostThatMayNotRemoveBringsItsBackups(t *testing.T) {
	f := newFixture(t, false)
	proxy := f.server.Proxy(t)
	proxy.Judge(mayNotRemove)
	first := f.save("alpha", "one", 1000)
	begin := func() *Session {
		s, err := f.open("host1").Begin(t.Context(), Writing, "there", 7)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Abandoned(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for range 2 {
		if err := begin().End(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	begin() // and is killed
	f.mustSync(f.open("host1"), "alpha")
	second := f.save("alpha", "two", 1000)
	f.mustSync(f.open("host1"), "alpha")
	if err := begin().End(t.Context()); err != nil { // which finds the killed one's note
		t.Fatal(err)
	}

	proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
	if _, err := f.prune(f.open("host1"), first); err != nil {
		t.Fatal(err)
	}
	f.assertSame(f.open("host1"), "alpha", second)
	for key := range f.server.Keys(t, "backups") {
		if strings.Contains(key, busyFolder) {
			t.Errorf("left: %s", key)
		}
	}
}
