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

// Of a backup that cannot be read to its end nobody knows what would change; what is advised is about that sandbox, and
// where its backups are. A status says of it no more than that it is not verified.
func TestADryRunOfADamagedBackupSaysNothingOfWhatWouldChange(t *testing.T) {
	h := saved(t)
	elsewhere := filepath.Join(t.TempDir(), "backups")
	if err := os.Rename(h.store(), elsewhere); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(elsewhere, "alpha/*/archive.tar.zst"))
	if err != nil || len(archives) != 1 {
		t.Fatal(archives, err)
	}
	flip(t, archives[0])
	code, stdout, stderr := h.run("restore", "alpha", "--dry-run", "--backup-dir", elsewhere)
	if code != ExitDamaged || stdout != "" || !strings.Contains(stderr, "sandkeeper backups list alpha --backup-dir "+elsewhere+" shows") {
		t.Errorf("exit %d: %s\n%s", code, stdout, stderr)
	}
	if code, _, stderr := h.run("backups", "verify", "--read-data", "--backup-dir", elsewhere); code != ExitDamaged || !strings.Contains(stderr, "backups list --backup-dir "+elsewhere) {
		t.Errorf("verify: exit %d: %s", code, stderr)
	}
	code, stdout, stderr = h.run("status", "--offline", "--max-age", "1h", "--backup-dir", elsewhere)
	if code != ExitOverdue || !strings.Contains(stdout, "is not verified; sandkeeper backups verify --read-data --backup-dir "+elsewhere) ||
		!strings.Contains(stderr, "sandkeeper backup-all --verify --backup-dir "+elsewhere) {
		t.Errorf("status: exit %d: %s\n%s", code, stdout, stderr)
	}
}

// flip changes a bit in the middle of a file.
func flip(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
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
