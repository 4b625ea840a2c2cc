package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sandkeeper/backup/watch"
)

// fleetDocument is what fleet status says in JSON.
type fleetDocument struct {
	ExitCode ExitCode
	Result   struct {
		Root      string
		Hosts     int
		Sandboxes []struct {
			Host, Sandbox, State string
			Newest               *struct {
				ID        string
				Encrypted bool
			}
			Verified, Drilled *struct{ ID string }
			Backups           int
		}
	}
}

func (f *offHostFixture) fleet(args ...string) (d fleetDocument) {
	f.t.Helper()
	code, stdout, stderr := f.run(append([]string{"fleet", "status", "--store", "s3://backups/fleet", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || d.ExitCode != code {
		f.t.Fatalf("exit %d: %v\n%s%s", code, err, stdout, stderr)
	}
	return d
}

// states is HOST/SANDBOX=STATE of each row, in order.
func (d fleetDocument) states() string {
	var said []string
	for _, row := range d.Result.Sandboxes {
		said = append(said, fmt.Sprintf("%s/%s=%s", row.Host, row.Sandbox, row.State))
	}
	return strings.Join(said, " ")
}

// inOrder sorts words: backups of one second have no order of their own.
func inOrder(words string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(words))), " ")
}

// saysOf puts what a host says of itself into the bucket.
func (f *offHostFixture) saysOf(host, text string) {
	f.t.Helper()
	bucket, key := "backups", "fleet/_status/"+host+".json"
	if _, err := f.server.Client.PutObject(f.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		f.t.Fatal(err)
	}
}

// Promise: fleet status shows of every host in a bucket what is there, the most urgent first, without a key and without a listing of backups.
func TestFleetStatusShowsEveryHost(t *testing.T) {
	f := newOffHost(t)
	if code, _, stderr := f.run("fleet", "status", "--store", "s3://backups/fleet"); code != ExitNotFound || !strings.Contains(stderr, "backup-all --store") {
		t.Errorf("nobody yet: exit %d\n%s", code, stderr)
	}
	f.mustAt("backup-all", "--offline", "--verify", "--seal-to", f.key)
	f.mustRun("backups", "sync", "alpha", "--store", "s3://backups/fleet", "--store-host", "host2", "--seal-to", f.key)
	d := f.fleet("--max-age", "26h")
	if got, want := inOrder(d.states()), "host1/alpha=ok host1/beta=ok host2/alpha=ok"; got != want || d.Result.Hosts != 2 || d.ExitCode != ExitOK {
		t.Errorf("got %s, want %s: %+v", got, want, d)
	}
	f.mustRun(at("backup-all", "--offline", "--seal-to", f.key)...)
	if d := f.fleet("-g", "other"); len(d.Result.Sandboxes) != 3 {
		t.Errorf("a row that names no gateway is of any: %s", d.states())
	}
	if d := f.fleet("-g", "other"); !d.Result.Sandboxes[0].Newest.Encrypted {
		t.Error("a backup in the bucket is called not encrypted")
	}
	if code, _, stderr := f.run("fleet", "status", "--store", "s3://backups/fleet", "--workspace", "mistyped", "--max-age", "26h"); code != ExitNotFound || !strings.Contains(stderr, `in workspace "mistyped"`) {
		t.Errorf("of a workspace that no host has: exit %d\n%s", code, stderr)
	}
	if d := f.fleet(); inOrder(d.states()) != "host1/alpha=unverified host1/beta=unverified host2/alpha=ok" || !strings.HasSuffix(d.states(), " host2/alpha=ok") {
		t.Errorf("what was not read back: %s", d.states())
	}
	f.mustAt("backups", "verify", "--read-data")
	if d := f.fleet(); inOrder(d.states()) != "host1/alpha=ok host1/beta=ok host2/alpha=ok" {
		t.Errorf("after it was read back in the bucket: %s", d.states())
	}

	old := watch.HostStatus{Schema: 1, Host: "dead", Sandboxes: []watch.Row{
		{Sandbox: "lost", Workspace: "default", Newest: &watch.Backup{ID: "20260101T000000Z-0001", Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{Sandbox: "bare", Workspace: "default"},
		{Sandbox: "left", Workspace: "default", State: watch.Gone},
		{Sandbox: "forged", Workspace: "default", Newest: &watch.Backup{ID: "20260101T000000Z-0001", Started: time.Now()}, Verified: &watch.Backup{ID: "x"}, Drilled: &watch.Backup{}},
	}}
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	f.saysOf("dead", string(text))
	d = f.fleet("--max-age", "26h")
	if got := d.states(); !strings.HasPrefix(got, "dead/bare=none dead/lost=old dead/forged=unverified ") || !strings.HasSuffix(got, " dead/left=gone") || d.ExitCode != ExitOverdue {
		t.Errorf("exit %d, %s", d.ExitCode, got)
	}
	page, metrics := filepath.Join(t.TempDir(), "fleet.html"), filepath.Join(t.TempDir(), "fleet.prom")
	said := f.mustRun("fleet", "status", "--store", "s3://backups/fleet", "--html", page, "--metrics", metrics)
	for _, want := range []string{"3 hosts, 6 sandboxes: ", "1 without a backup", "Backups stored in: s3://backups/fleet\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	for file, want := range map[string]string{page: "<td>dead: lost</td>", metrics: `sandkeeper_backups{host="dead",gateway="",workspace="default",sandbox="bare"} 0`} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s: %v", file, want, err)
		}
	}
	if text, _ := os.ReadFile(page); strings.Contains(string(text), "Off the host") {
		t.Error("the page of a fleet says of what is in the bucket whether it is off the host")
	}
}

// Promise: what one host says wrongly costs the others nothing, and is never taken for well.
func TestFleetStatusBelievesNoNonsense(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backup-all", "--offline", "--verify", "--seal-to", f.key)
	f.saysOf("torn", `{"schema":1,"host":"torn","sandboxes":[`)
	f.saysOf("thief", `{"schema":1,"host":"host1","sandboxes":[]}`)
	code, stdout, stderr := f.run("fleet", "status", "--store", "s3://backups/fleet", "--max-age", "26h")
	if code != ExitPartial || !strings.Contains(stdout, "host1") || !strings.Contains(stderr, `"torn"`) || !strings.Contains(stderr, `"thief"`) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// Promise: a sync, which does not look at the sandboxes, forgets nothing that a run over them has found.
func TestASyncForgetsNoSandbox(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	f.saysOf("host1", `{"schema":1,"host":"host1","sandboxes":[
		{"sandbox":"beta","workspace":"default","gateway":"","state":"gone","reason":"removed"},{"sandbox":"bare","workspace":"default","gateway":"","state":"none"},
		{"sandbox":"alpha","workspace":"default","gateway":"","state":"ok","drilled":{"id":"`+f.ids[1]+`","drilled":{"at":"2026-11-26T00:00:00Z","tookMs":1}},
		 "verified":{"id":"20260101T000000Z-0001","verified":{"at":"2026-11-26T00:00:00Z","readData":true}}}]}`)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	d := f.fleet()
	if got, want := d.states(), "host1/bare=none host1/alpha=unverified host1/beta=gone"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if alpha := d.Result.Sandboxes[1]; alpha.Drilled == nil || alpha.Drilled.ID != f.ids[1] || alpha.Verified != nil {
		t.Errorf("a drill of what is there counts, a proof of what is not there does not: %+v", alpha)
	}
}

// Promise: a drill of what is in the bucket is shown by fleet status, until a newer backup was drilled, and outlives the next night.
func TestFleetStatusShowsADrillInTheBucket(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	f.drilled(f.ids[0], 1500*time.Millisecond)
	f.drilled(f.ids[1], time.Minute)
	for _, when := range []string{"after the drill", "after the next night"} {
		for _, row := range f.fleet().Result.Sandboxes {
			if shown := row.Drilled != nil && row.Drilled.ID == f.ids[0]; shown != (row.Sandbox == "alpha") {
				t.Errorf("%s: drilled of %s is %+v, the drills were of alpha's %s and of an older backup", when, row.Sandbox, row.Drilled, f.ids[0])
			}
		}
		if said := f.mustRun("fleet", "status", "--store", "s3://backups/fleet"); !strings.Contains(said, " ago (1.5s) ") {
			t.Errorf("%s, no time to have it back:\n%s", when, said)
		}
		f.mustAt("backup-all", "--offline", "--seal-to", f.key)
	}
}

// spoil puts other bytes in the place of what a backup of alpha alone has in the bucket.
func (f *offHostFixture) spoil(id string) {
	f.t.Helper()
	bucket := "backups"
	for key, size := range f.server.Keys(f.t, bucket) {
		if strings.Contains(key, "/alpha/"+id+"/index") {
			if _, err := f.server.Client.PutObject(f.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(strings.Repeat("x", int(size)))}); err != nil {
				f.t.Fatal(err)
			}
			return
		}
	}
	f.t.Fatalf("%s has no index there", id)
}

// Promise: a backup that was verified on its host and found damaged in the bucket is verified no more for the fleet, also
// after a run of the host that sends nothing, until a newer one is there.
func TestFleetStatusBelievesWhatWasFoundInTheBucket(t *testing.T) {
	f := newOffHost(t)
	f.mustRun("backups", "verify", "--read-data")
	f.mustAt("backups", "sync", "--seal-to", f.key)
	alpha := func() string {
		for _, row := range f.fleet().Result.Sandboxes {
			if row.Sandbox == "alpha" {
				return row.State
			}
		}
		return ""
	}
	if got := alpha(); got != "ok" {
		t.Fatalf("before: %q", got)
	}
	f.spoil(f.ids[0])
	if code, _, stderr := f.run(at("backups", "verify", "--read-data")...); code != ExitDamaged || !strings.Contains(stderr, "sends again what it needs of them: sandkeeper backup-all --store s3://backups/fleet") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for _, when := range []string{"after the verification", "after a run that sends nothing"} {
		if got := alpha(); got != "unverified" {
			t.Errorf("%s: %q", when, got)
		}
		f.mustAt("backups", "sync", "--seal-to", f.key)
	}
	f.mustAt("backup-all", "--offline", "--verify", "--seal-to", f.key)
	if got := alpha(); got != "ok" {
		t.Errorf("after the next backup: %q", got)
	}
}

// drilled says of a backup of alpha in the bucket that it came back.
func (f *offHostFixture) drilled(id string, took time.Duration) {
	f.t.Helper()
	from := storeOptions{bucket: bucketOptions{address: "s3://backups/fleet", host: "host1"}}
	st, off, err := newApp(nil, f.streams()).stores.source(f.t.Context(), from, "")
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := st.Find("alpha", id)
	if err == nil {
		err = off.proveDrilled(f.t.Context(), b, took, "./smoke-test")
	}
	if err = errors.Join(err, off.close()); err != nil {
		f.t.Fatal(err)
	}
}
