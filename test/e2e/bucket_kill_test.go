package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"filippo.io/age"

	"sandkeeper/internal/buckettest"
)

// nightly is a sandbox with a running container whose backups go into a bucket, behind a proxy that can kill a run at
// any of its requests.
type nightly struct {
	*patient
	proxy    *buckettest.Proxy
	server   *buckettest.Server
	env      []string
	key      string // public half
	identity string // file with the other one
}

func newNightly(t *testing.T) *nightly {
	t.Helper()
	n := &nightly{patient: newPatient(t, 9), server: buckettest.Start(t)} // larger than one part of an upload
	n.server.Bucket(t, "backups", true)
	n.proxy = n.server.Proxy(t)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	n.key, n.identity = key.Recipient().String(), filepath.Join(t.TempDir(), "key.txt")
	write(t, n.identity, key.String()+"\n")

	of, err := n.Environment()
	if err != nil {
		t.Fatal(err)
	}
	n.env = slices.Concat(of, engineEnv(), n.extra(), []string{
		"AWS_ENDPOINT_URL=" + n.proxy.Endpoint, "AWS_ACCESS_KEY_ID=" + buckettest.Access, "AWS_SECRET_ACCESS_KEY=" + buckettest.Secret,
		"AWS_EC2_METADATA_DISABLED=true",
	})
	return n
}

// night is one round: a backup folder and a host's name of its own, so that each begins with nothing.
type night struct {
	*nightly
	dir, host string
}

func (n *nightly) night(name string) *night {
	return &night{n, filepath.Join(n.t.TempDir(), "store"), name}
}

func (n *night) args() []string {
	return n.save("--verify", "--backup-dir", n.dir, "--store", "s3://backups/fleet", "--store-host", n.host, "--seal-to", n.key)
}

// looks runs a command about the bucket; exit is what it must end with.
func (n *night) looks(exit int, args ...string) printed {
	n.t.Helper()
	return n.must(exit, append(args, "--store", "s3://backups/fleet", "--store-host", n.host)...)
}

func (n *night) must(exit int, args ...string) printed {
	n.t.Helper()
	got := run(n.t, n.env, append([]string{filepath.Join(n.Programs.Dir, "sandkeeper")}, append(args, "--backup-dir", n.dir)...)...)
	if got.exit != exit {
		n.t.Errorf("%q exits %d, not %d:\n%s%s", args, got.exit, exit, got.stdout, got.stderr)
	}
	return got
}

// ids are the backups of the sandbox that can be seen, on the host or in the bucket.
func (n *night) ids(args ...string) (ids []string) {
	n.t.Helper()
	out := run(n.t, n.env, append([]string{filepath.Join(n.Programs.Dir, "sandkeeper"), "backups", "list", "--json", "--backup-dir", n.dir}, args...)...)
	var document struct {
		Result struct{ Backups []listedBackup }
	}
	if out.exit == 10 {
		return nil
	}
	if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 {
		n.t.Fatalf("backups list %q: exit %d, %v\n%s%s", args, out.exit, err, out.stdout, out.stderr)
	}
	for _, b := range document.Result.Backups {
		if b.Damage != "" {
			n.t.Errorf("a half backup is visible: %s: %s", b.ID, b.Damage)
		}
		ids = append(ids, b.ID)
	}
	return ids
}

func (n *night) away() []string {
	return n.ids("--store", "s3://backups/fleet", "--store-host", n.host)
}

// whole asserts that what can be seen on the host and in the bucket is whole to the last byte.
func (n *night) whole() {
	n.t.Helper()
	if len(n.ids()) > 0 {
		n.must(0, "backups", "verify", "--read-data")
	}
	if len(n.away()) > 0 {
		n.looks(0, "backups", "verify", "--read-data", "--identity", n.identity)
	}
}

// recovers asserts what holds after a kill, and that the next run ends well: all that is on the host is in the bucket,
// nobody holds anything, and the next pruning is let in.
func (n *night) recovers() {
	n.t.Helper()
	n.engine.goesOn(n.container, thawTime)
	saved := n.ids()
	n.whole()
	for _, id := range n.away() {
		if !slices.Contains(saved, id) {
			n.t.Errorf("backup %s is in the bucket and not on the host, which has %v", id, saved)
		}
	}

	next := run(n.t, n.env, append([]string{filepath.Join(n.Programs.Dir, "sandkeeper")}, n.args()...)...)
	if next.exit != 0 {
		n.t.Fatalf("the next run exits %d:\n%s%s", next.exit, next.stdout, next.stderr)
	}
	if here, away := n.ids(), n.away(); len(here) != len(saved)+1 || !slices.Equal(here, away) {
		n.t.Errorf("after the next run the host has %v, the bucket %v; before it the host had %v", here, away, saved)
	}
	n.whole()
	for key := range n.server.Keys(n.t, "backups") {
		if strings.Contains(key, n.host+"/.busy/") {
			n.t.Errorf("a note of a run is left: %s", key)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(n.dir, ".fetched-*")); len(left) > 0 {
		n.t.Errorf("what was opened stays: %v", left)
	}
	n.looks(0, "backups", "prune", "--keep", "1", "--yes")
	if away := n.away(); len(away) != 1 {
		n.t.Errorf("after a pruning to one the bucket has %v", away)
	}
	n.whole()
	n.must(0, "backups", "prune", "--keep", "1", "--yes")
}

// kill runs the night and kills it at the at-th of its requests to the bucket: before the server sees it, or, with
// late, when it has answered. It reports whether that struck, and which request it was: "" when the run had not that many.
func (n *night) kill(at int64, late bool) (killed bool, what string) {
	n.t.Helper()
	var count atomic.Int64
	var request atomic.Value
	var p atomic.Pointer[process]
	ctx, begun := context.WithCancel(n.t.Context())
	strike := func() {
		<-ctx.Done() // the process is known
		p.Load().signal(syscall.SIGKILL)
	}
	n.proxy.Judge(func(r *http.Request) *buckettest.Fault {
		if count.Add(1) != at {
			return nil
		}
		request.Store(r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery)
		if late {
			return &buckettest.Fault{Done: strike}
		}
		strike()
		return &buckettest.Fault{Drop: true}
	})
	p.Store(launch(n.t, n.env, n.args()...))
	begun()
	out := p.Load().end()
	n.proxy.Judge(func(*http.Request) *buckettest.Fault { return nil })
	if !p.Load().killed() && out.exit != 0 {
		n.t.Fatalf("a run that nobody killed exits %d:\n%s%s", out.exit, out.stdout, out.stderr)
	}
	what, _ = request.Load().(string)
	return p.Load().killed(), what
}

// docs/design.md 6: kill -9 of a run that leaves the host, at every stage and at every request to the bucket, leaves no
// half backup on either side, and nothing that holds up the next run.
func TestKillOffTheHost(t *testing.T) {
	n := newNightly(t)
	for i, stage := range stages {
		night := n.night(fmt.Sprintf("stage%d", i))
		run := launch(t, n.env, night.args()...)
		if run.reach(n.name + ": " + stage) {
			run.signal(syscall.SIGKILL)
		}
		run.end()
		night.recovers()
		if t.Failed() {
			t.Fatalf("killed while %s", stage)
		}
	}

	var struck []string
	step := int64(rounds(3, 1)) // a third of the requests, in turn before and after the answer; all of them in a soak
	for at := int64(1); ; at += step {
		late := at%2 == 0
		night := n.night(fmt.Sprintf("request%d", at))
		killed, what := night.kill(at, late)
		if what == "" {
			break // it had no such request
		}
		if killed { // after the answer to one of its last requests it may have ended before that
			struck = append(struck, what)
		}
		night.recovers()
		if t.Failed() {
			t.Fatalf("killed at request %d, %s (answered: %v)", at, what, late)
		}
		_ = os.RemoveAll(night.dir)
	}

	t.Logf("killed at %d requests:\n%s", len(struck), strings.Join(struck, "\n"))
	if len(struck) < 15/int(step) {
		t.Errorf("killed at no more than %d requests", len(struck))
	}
}
