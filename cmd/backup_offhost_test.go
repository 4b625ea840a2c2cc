package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"sandkeeper/backup"
	"sandkeeper/backup/store"
)

// offHostDocument is what backup-all says in JSON of what left the host.
type offHostDocument struct {
	ExitCode ExitCode
	Error    struct{ Kind, Message, Hint string }
	Result   struct {
		Root    string
		Totals  struct{ Total, BackedUp int }
		OffHost *struct {
			Store, Reason string
			Sent          int
			Backups       []struct{ Sandbox, ID string }
		}
	}
}

// backUp runs backup-all about the bucket.
func (f *offHostFixture) backUp(args ...string) (d offHostDocument) {
	f.t.Helper()
	code, stdout, stderr := f.run(append(at("backup-all", "--offline", "--json"), args...)...)
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || d.ExitCode != code {
		f.t.Fatalf("exit %d: %v\n%s%s", code, err, stdout, stderr)
	}
	return d
}

// Promise: backup-all --store saves on the host, and what the bucket lacks is then there too, encrypted; what was there is not sent again.
func TestBackupAllLeavesTheHost(t *testing.T) {
	f := newOffHost(t)
	f.sandbox("gamma", "exited", "what only gamma has")
	if d := f.backUp("--seal-to", f.key, "--dry-run"); d.ExitCode != ExitOK || d.Result.OffHost == nil || len(f.server.Keys(t, "backups")) != 0 {
		t.Errorf("dry run: %+v, and %v", d, f.server.Keys(t, "backups"))
	}
	d := f.backUp("--seal-to", f.key)
	if d.ExitCode != ExitOK || d.Result.Totals.BackedUp != 3 || d.Result.OffHost == nil || d.Result.OffHost.Sent != 6 || d.Result.OffHost.Store != "s3://backups/fleet/host1" {
		t.Fatalf("three backups that were there, and three new ones: %+v", d)
	}
	if d := f.backUp("--seal-to", f.key, "--only", "alpha"); d.Result.OffHost.Sent != 1 || d.Result.OffHost.Backups[0].Sandbox != "alpha" {
		t.Errorf("only alpha: %+v", d)
	}
	if said := f.mustRun(at("backup-all", "--offline", "--encrypt-to", f.key)...); !strings.Contains(said, "Off the host: 3 backups sent") || !strings.Contains(said, "\nBackups stored in: "+f.store()) {
		t.Errorf("to those whom the backups are encrypted to:\n%s", said)
	}
	f.mustAt("backups", "verify", "--read-data", "--identity", f.identity)
	if said := f.mustAt("backups", "list", "gamma"); strings.Count(said, "\n  gamma ") != 2 {
		t.Errorf("of gamma there are two:\n%s", said)
	}
}

// Promise: a bucket that fails costs no backup. The run is partial, names the cause and the way on, and the next one brings what this one could not.
func TestABucketThatFailsCostsNoBackup(t *testing.T) {
	f := newOffHost(t)
	code, stdout, stderr := f.run("backup-all", "--offline", "--store", "s3://nobody", "--store-host", "host1", "--seal-to", f.key)
	for _, want := range []string{"Pre-upgrade backup: 2 backed up, 0 failed", "Off the host: 0 backups sent to s3://nobody/host1, and not all"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if code != ExitPartial || !strings.Contains(stderr, "not all that is saved on this host has left it") || !strings.Contains(stderr, "create-bucket") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if d := f.backUp("--seal-to", f.key); d.ExitCode != ExitOK || d.Result.OffHost.Sent != 7 {
		t.Errorf("the next run brings what was left: %+v", d)
	}
	lock := flock.New(filepath.Join(f.store(), ".sync.lock"))
	if got, err := lock.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	if d := f.backUp("--seal-to", f.key); d.ExitCode != ExitPartial || d.Error.Kind != "locked" || d.Result.Totals.BackedUp != 2 {
		t.Errorf("beside a sync: %+v", d)
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = lock.Unlock() })
	if d := f.backUp("--seal-to", f.key, "--lock-wait", "30s"); d.ExitCode != ExitOK || d.Result.OffHost.Sent != 4 {
		t.Errorf("after a sync was waited for: %+v", d)
	}
}

// Promise: the exit code says the worst of what became of saving and of bringing off, and both causes are told.
func TestTheWorstOfSavingAndBringingOff(t *testing.T) {
	some := backup.Summary{Totals: backup.Totals{BackedUp: 1}}
	locked := &store.LockedError{Path: "/b/.sync.lock"}
	partial := &Failure{Code: ExitPartial, Kind: kindPartial, Err: errors.New("1 of 2 sandboxes are not backed up"), Hint: "first"}
	all := &Failure{Code: ExitRefused, Kind: "backup_content_error", Err: errors.New("no sandbox was backed up"), Hint: "first"}
	for _, c := range []struct {
		name           string
		saved, problem error
		summary        backup.Summary
		code           ExitCode
		kind, says     string
	}{
		{"saved, locked", nil, locked, some, ExitPartial, "locked", "not all that is saved"},
		{"nothing to save, locked", nil, locked, backup.Summary{}, ExitLocked, "locked", "not all that is saved"},
		{"partly saved, locked", partial, locked, some, ExitPartial, kindPartial, "1 of 2 sandboxes are not backed up; not all"},
		{"nothing saved, locked", all, locked, backup.Summary{}, ExitRefused, "backup_content_error", "no sandbox was backed up; not all"},
		{"partly saved, interrupted", partial, context.Canceled, some, ExitInterrupted, "interrupted", "interrupted"},
		{"partly saved, all brought off", partial, nil, some, ExitPartial, kindPartial, "1 of 2"},
	} {
		f := failureOf(offHostOutcome(c.saved, c.problem, c.summary))
		if f.Code != c.code || f.Kind != c.kind || !strings.Contains(f.Error(), c.says) {
			t.Errorf("%s: exit %d, %s: %s", c.name, f.Code, f.Kind, f)
		}
	}
	if err := offHostOutcome(nil, nil, some); err != nil {
		t.Errorf("all is well, and yet: %v", err)
	}
}

// Promise: what cannot work off the host is said before anything is saved; a setting that is wrong does not bar the way out, --offline.
func TestOffHostIsJudgedFirst(t *testing.T) {
	f := newOffHost(t)
	before := f.mustRun("backups", "list")
	for name, args := range map[string][]string{
		"no key":     at("backup-all", "--offline"),
		"wrong key":  at("backup-all", "--offline", "--seal-to", "age1nobody"),
		"no address": {"backup-all", "--offline", "--store", "/srv/backups", "--seal-to", f.key},
		"no host":    {"backup-all", "--offline", "--store", "s3://backups", "--store-host", "a/b", "--seal-to", f.key},
	} {
		if code, _, stderr := f.run(args...); code != ExitUsage {
			t.Errorf("%s: exit %d\n%s", name, code, stderr)
		}
	}
	if after := f.mustRun("backups", "list"); strings.Count(after, "\n") != strings.Count(before, "\n") {
		t.Errorf("something was saved:\n%s", after)
	}
	settings := filepath.Join(f.home, ".config", "sandkeeper")
	if err := os.MkdirAll(settings, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(settings, "config.toml"), []byte("store = \"s3://backups/fleet\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := f.run("backup-all", "--offline"); code != ExitOK || !strings.Contains(stderr, "config.toml:1: nothing leaves this host") || strings.Contains(stdout, "Off the host") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}
