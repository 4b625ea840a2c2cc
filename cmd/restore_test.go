package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/upgrade"
)

// saved is a host with one backup of "first" in a sandbox that holds "second" since.
func saved(t *testing.T) *madeUpHost {
	t.Helper()
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q")
	h.engine.Write("openshell-alpha", "/sandbox/notes.md", []byte("second"))
	return h
}

func TestRestoreAsksAndTakesNoForAnAnswer(t *testing.T) {
	h := saved(t)
	h.answer = "n\n"
	code, _, stderr := h.run("restore", "alpha")
	if code != ExitOK || !strings.Contains(stderr, "Replace it? [y/N]:") || !strings.Contains(stderr, "nothing was restored") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if got := h.content("alpha"); got != "second" {
		t.Errorf("the sandbox holds %q, want it untouched", got)
	}
}

func TestRestoreAsksAndTakesYes(t *testing.T) {
	h := saved(t)
	h.answer = "y\n"
	stdout := h.mustRun("restore", "alpha")
	if got := h.content("alpha"); got != "first" {
		t.Errorf("the sandbox holds %q, want %q", got, "first")
	}
	if !strings.Contains(stdout, "Restored alpha from backup") || !strings.Contains(stdout, "What was there before is kept as backup") {
		t.Errorf("stdout = %q", stdout)
	}
}

// Without a terminal it is exit 2 and the flag that answers; in JSON nobody is asked even where somebody sits.
func TestRestoreNeverAsksWhereNobodyAnswers(t *testing.T) {
	h := saved(t)
	code, _, stderr := h.run("restore", "alpha")
	if code != ExitUsage || !strings.Contains(stderr, "--yes") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	h.answer = "y\n"
	if code, out, _ := h.run("restore", "alpha", "--json"); code != ExitUsage || !strings.Contains(out, `"usage"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if got := h.content("alpha"); got != "second" {
		t.Errorf("the sandbox holds %q, want it untouched", got)
	}
}

func TestRestoreDryRunChangesNothing(t *testing.T) {
	h := saved(t)
	stdout := h.mustRun("restore", "alpha", "--dry-run")
	if !strings.Contains(stdout, "would change: notes.md") || !strings.Contains(stdout, "Nothing was changed.") {
		t.Errorf("stdout = %q", stdout)
	}
	if got := h.content("alpha"); got != "second" {
		t.Errorf("the sandbox holds %q, want it untouched", got)
	}
	for _, call := range h.engine.Calls() {
		if strings.HasPrefix(call, "PUT ") || strings.Contains(call, "/stop") || strings.Contains(call, "/pause") {
			t.Errorf("the dry run made the call %s", call)
		}
	}
}

func TestRestoreIntoAnotherSandbox(t *testing.T) {
	h := saved(t)
	h.sandbox("beta", "exited", "third")
	h.mustRun("restore", "alpha", "--to", "beta", "--yes")
	if a, b := h.content("alpha"), h.content("beta"); a != "second" || b != "first" {
		t.Errorf("alpha holds %q and beta %q", a, b)
	}
	if code, _, _ := h.run("restore", "alpha", "--to", "nobody", "--yes"); code == ExitOK {
		t.Errorf("a restore into a sandbox that is not there ended well")
	}
}

// After a restore, latest still means the newest backup that somebody made, not the copy of what was replaced.
func TestLatestIsNotWhatARestoreReplaced(t *testing.T) {
	h := saved(t)
	h.mustRun("restore", "alpha", "--yes")
	h.mustRun("restore", "alpha", "--yes")
	if got := h.content("alpha"); got != "first" {
		t.Errorf("after a second restore of latest the sandbox holds %q, want %q", got, "first")
	}
}

func TestWhatARestoreEndsWithHasARemedy(t *testing.T) {
	if err := notRestored(nil); err != nil {
		t.Errorf("a restore that was done ends with %v", err)
	}
	if f := failureOf(notRestored(errors.New("the disk is full"))); f.Hint == "" || f.Kind != "internal" || f.Err.Error() != "the disk is full" {
		t.Errorf("%+v", f)
	}
	if f := failureOf(notRestored(usage("add --yes", "not asked"))); f.Hint != "add --yes" || f.Code != ExitUsage {
		t.Errorf("%+v", f)
	}
}

// A command that is printed finds the backups that this one was about.
func TestAPrintedCommandNamesItsFolderOfBackups(t *testing.T) {
	h := newHost(t)
	a := newApp(nil, h.streams())
	usual, err := a.stores.root("")
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"": "", usual: "", "/mnt/my backups": " --backup-dir '/mnt/my backups'"} {
		restoring := &restoreOptions{app: a, name: "alpha", id: "b1", store: storeOptions{dir: dir}}
		if got := restoring.again(); got != "sandkeeper restore alpha --recreate --backup b1"+want {
			t.Errorf("in %q: %s", dir, got)
		}
		upgrading := &upgradeOptions{app: a}
		if got := upgrading.halfDoneWarning(&upgrade.Pending{Entry: upgrade.Entry{Name: "alpha", Backup: "b1", BackupRoot: dir}}); !strings.Contains(got, "restore alpha --backup b1"+want+"`") {
			t.Errorf("in %q: %s", dir, got)
		}
		importing := &migrateImportOptions{app: a, store: storeOptions{dir: dir}, set: "old", rename: map[string]string{"team2/alpha": "beta"}, stoppedElsewhere: true}
		if got := importing.again("gw"); got != "sandkeeper migrate import -g gw --set old --rename team2/alpha=beta --stopped-elsewhere"+want {
			t.Errorf("in %q: %s", dir, got)
		}
	}
}

// A backup whose manifest cannot be read is damaged, for an export as for a restore, and nothing is said of what was not written.
func TestExportOfADamagedBackup(t *testing.T) {
	h := saved(t)
	manifests, err := filepath.Glob(filepath.Join(h.home, ".local/share/sandkeeper/backups/alpha/*/manifest.json"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	if err := os.WriteFile(manifests[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := filepath.Base(filepath.Dir(manifests[0]))
	for _, extra := range []string{"", "--scrub"} {
		args := []string{"backups", "export", "alpha", id, "--to", filepath.Join(h.home, "alpha.tar")}
		if extra != "" {
			args = append(args, extra)
		}
		code, _, stderr := h.run(args...)
		if code != ExitDamaged || strings.Contains(stderr, "credentials") {
			t.Errorf("%q: exit %d\n%s", extra, code, stderr)
		}
	}
}
