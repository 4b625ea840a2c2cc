package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// twice is a host with two backups of alpha and one of beta; the ids are alpha's, newest first.
func twice(t *testing.T) (h *madeUpHost, ids []string) {
	t.Helper()
	h = saved(t)
	h.sandbox("beta", "exited", "third")
	h.mustRun("backup-all", "--offline", "-q", "--label", "second")
	for line := range strings.Lines(h.mustRun("backups", "list", "alpha")) {
		if fields := strings.Fields(line); len(fields) > 1 && archive.ValidID(fields[1]) {
			ids = append(ids, fields[1])
		}
	}
	if len(ids) != 2 {
		t.Fatalf("alpha has the backups %q, want two", ids)
	}
	return h, ids
}

func (h *madeUpHost) store() string { return filepath.Join(h.home, ".local/share/sandkeeper/backups") }

// flip changes one byte in the middle of a file of a backup.
func (h *madeUpHost) flip(sandbox, id, file string) {
	h.t.Helper()
	path := filepath.Join(h.store(), sandbox, id, file)
	content, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func TestBackupsOneByEveryName(t *testing.T) {
	h, ids := twice(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"alpha"}, ids[0]},
		{[]string{"alpha", "latest"}, ids[0]},
		{[]string{"alpha", ids[1]}, ids[1]},
		{[]string{ids[1]}, ids[1]},
	} {
		if stdout := h.mustRun(append([]string{"backups", "show"}, tc.args...)...); !strings.Contains(stdout, tc.want) {
			t.Errorf("show %q is not about %s:\n%s", tc.args, tc.want, stdout)
		}
	}
	code, stdout, stderr := h.run("backups", "show", "20200101T000000Z-0000")
	if code != ExitNotFound || stdout != "" || !strings.Contains(stderr, `"20200101T000000Z-0000"`) || !strings.Contains(stderr, "sandkeeper backups list") {
		t.Errorf("an id that is nobody's: exit %d, %q, %q", code, stdout, stderr)
	}
}

func TestDamagedBackupIsListedWithoutInventedNumbers(t *testing.T) {
	h, ids := twice(t)
	h.flip("alpha", ids[0], "manifest.json")
	stdout := h.mustRun("backups", "list", "alpha")
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, "DAMAGED") && strings.Contains(line, "0 B") {
			t.Errorf("a backup that cannot be read is said to be empty: %q", line)
		}
	}
	if !strings.Contains(stdout, "damaged: alpha "+ids[0]) {
		t.Errorf("the damage is not told:\n%s", stdout)
	}
	if code, _, stderr := h.run("backups", "show", "alpha", ids[0]); code != ExitDamaged || !strings.Contains(stderr, ids[0]) {
		t.Errorf("show: exit %d, %q", code, stderr)
	}
	if shown := h.mustRun("backups", "show", "alpha"); !strings.Contains(shown, ids[1]) {
		t.Errorf("latest is not the newest whole one:\n%s", shown)
	}
}

func TestVerifyCountsWhatIsDamaged(t *testing.T) {
	h, ids := twice(t)
	if stdout := h.mustRun("backups", "verify", "--read-data"); !strings.Contains(stdout, "3 backups verified, 0 damaged") {
		t.Errorf("stdout = %s", stdout)
	}
	if stdout := h.mustRun("backups", "list", "alpha"); strings.Count(stdout, "every byte, ") != 2 {
		t.Errorf("the list does not know what was verified:\n%s", stdout)
	}
	h.flip("alpha", ids[1], "archive.tar.zst")
	code, stdout, stderr := h.run("backups", "verify", "--read-data")
	if code != ExitDamaged || !strings.Contains(stdout, "damaged  alpha "+ids[1]) || !strings.Contains(stdout, "3 backups verified, 1 damaged") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	if !strings.Contains(stderr, "1 of 3 backups are damaged") {
		t.Errorf("stderr = %q", stderr)
	}
}

func TestPruneSaysPlanAndKeepsTheLastOne(t *testing.T) {
	h, ids := twice(t)
	if stdout := h.mustRun("backups", "prune", "--keep", "1", "--dry-run"); !strings.Contains(stdout, "Dry run: nothing was removed.") || !strings.Contains(stdout, ids[1]) {
		t.Errorf("the plan: %s", stdout)
	}
	code, _, stderr := h.run("backups", "prune", "--keep", "1")
	if code != ExitUsage || !strings.Contains(stderr, "--yes") {
		t.Errorf("without a terminal: exit %d, %q", code, stderr)
	}
	h.answer = "n\n"
	code, stdout, stderr := h.run("backups", "prune", "--keep", "1")
	if code != ExitOK || !strings.Contains(stderr, "the answer was no: nothing was removed") || stdout != "" {
		t.Errorf("exit %d after a no: %s; the plan stood in the question, and is said again: %q", code, stderr, stdout)
	}
	if _, err := os.Stat(filepath.Join(h.store(), "alpha", ids[1])); err != nil {
		t.Errorf("it is gone before anybody agreed: %v", err)
	}
	h.answer = ""
	if stdout := h.mustRun("backups", "prune", "--keep", "1", "--yes"); !strings.Contains(stdout, "1 backup removed") {
		t.Errorf("stdout = %s", stdout)
	}
	if left := h.mustRun("backups", "list"); !strings.Contains(left, ids[0]) || strings.Contains(left, ids[1]) || !strings.Contains(left, "beta") {
		t.Errorf("left: %s", left)
	}
}

func TestIdentityFilesThatDoNotHelp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("no key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + ".none"} {
		_, err := readIdentities(file)
		f := failureOf(err)
		if err == nil || f.Code != ExitUsage || !strings.Contains(f.Error(), "--identity") || !strings.Contains(f.Error(), file) || !strings.Contains(f.Hint, "age-keygen") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if identities, err := readIdentities(""); identities != nil || err != nil {
		t.Errorf("no file: %v, %v", identities, err)
	}
}
