package cmd

import (
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/upgrade"
)

// TestUnfinishedOfAnotherGatewayIsLeftAlone: -g names the only gateway that is looked at, and so the only one that is worked on.
func TestUnfinishedOfAnotherGatewayIsLeftAlone(t *testing.T) {
	h := newHost(t)
	h.unfinished("alpha", upgrade.StepCreating) // of gateway "gw"
	for _, flag := range []string{"--resume", "--rollback"} {
		code, stdout, _ := h.run("upgrade-sandboxes", flag, "--yes", "--allow-unverified", "-g", "other")
		if code != ExitOK || stdout != "Nothing is unfinished on gateway \"other\".\n" {
			t.Errorf("%s -g other: exit %d, %q", flag, code, stdout)
		}
		if code, _, stderr := h.run("upgrade-sandboxes", flag, "--yes", "-g", "gw"); code == ExitOK || !strings.Contains(stderr, `"gw"`) {
			t.Errorf("%s -g gw: exit %d, %s", flag, code, stderr)
		}
		if code, _, stderr := h.run("upgrade-sandboxes", flag, "--only", "beta"); code != ExitNotFound || !strings.Contains(stderr, "--check names what is unfinished") {
			t.Errorf("%s of another sandbox: exit %d, %s", flag, code, stderr)
		}
	}
	left, err := upgrade.Peek(filepath.Join(h.home, ".local/state/sandkeeper"))
	if err != nil || len(left) != 1 || left[0].Step != upgrade.StepCreating {
		t.Errorf("the journal has %+v, %v", left, err)
	}
}

// TestAnUpgradeGoesOnWithItsOwnBackups: the advised commands do not name their folder, nor the key.
func TestAnUpgradeGoesOnWithItsOwnBackups(t *testing.T) {
	begun := &upgrade.Entry{Name: "alpha"}
	(&upgradeOptions{identity: "/keys/a"}).remember([]*upgrade.Entry{begun}, "/mnt/b")
	left := []upgrade.Entry{*begun}
	for _, c := range []struct{ dir, identity, wantDir, wantIdentity string }{
		{"", "", "/mnt/b", "/keys/a"}, {"/other", "", "/other", "/keys/a"}, {"", "/keys/b", "/mnt/b", "/keys/b"},
	} {
		o := &upgradeOptions{identity: c.identity, store: storeOptions{dir: c.dir}}
		if err := o.recall(left); err != nil || o.store.dir != c.wantDir || o.identity != c.wantIdentity {
			t.Errorf("%+v: %q, %q, %v", c, o.store.dir, o.identity, err)
		}
	}
	left = append(left, upgrade.Entry{Name: "beta", BackupRoot: "/mnt/c"})
	o := &upgradeOptions{}
	if err := o.recall(left); codeOf(err) != ExitUsage || !strings.Contains(failureOf(err).Hint, "--only") {
		t.Errorf("two folders: %v", err)
	}
	if err := (&upgradeOptions{identity: "/k", store: storeOptions{dir: "/d"}}).recall(left); err != nil {
		t.Errorf("two folders, and one was given: %v", err)
	}
	older := []upgrade.Entry{{Name: "alpha"}} // of a build that did not write it down
	if err := o.recall(older); err != nil || o.store.dir != "" || o.identity != "" {
		t.Errorf("an older journal: %q, %q, %v", o.store.dir, o.identity, err)
	}
}
