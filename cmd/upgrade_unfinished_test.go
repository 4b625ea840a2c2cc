package cmd

import (
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
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
	elsewhere := []upgrade.Entry{{Name: "alpha", EngineID: "docker a /"}, {Name: "beta", EngineID: "docker b /"}}
	if err := o.recall(elsewhere); codeOf(err) != ExitUsage || !strings.Contains(failureOf(err).Hint, "--only") {
		t.Errorf("two engines: %v", err)
	}
	older := []upgrade.Entry{{Name: "alpha"}} // of a build that did not write it down
	if err := o.recall(older); err != nil || o.store.dir != "" || o.identity != "" {
		t.Errorf("an older journal: %q, %q, %v", o.store.dir, o.identity, err)
	}
}

// TestAnUpgradeGoesOnWithItsOwnEngine: of several that answer it is not the main one that has the sandbox, but its own;
// of one that does not answer nothing is called gone.
func TestAnUpgradeGoesOnWithItsOwnEngine(t *testing.T) {
	main, own := dockertest.Start(t), dockertest.Start(t)
	own.Become("OWN")
	engines := engine.Open(t.Context(), engine.Dialing{Env: env.Parse([]string{"SANDKEEPER_ENGINES=" + main.Host() + "," + own.Host()})})
	for identity, want := range map[string]string{own.Identity(): own.Host(), main.Identity(): main.Host(), "docker gone /": main.Host(), "": main.Host()} {
		if got := engineWith(t.Context(), engines, identity); got.Host() != want {
			t.Errorf("engine %q: got %s, want %s", identity, got.Host(), want)
		}
	}

	h := newHost(t)
	o := &upgradeOptions{app: newApp(nil, h.streams())}
	if at := o.looker(t.Context(), &upgrade.Entry{EngineID: h.engine.Identity()}); at == nil {
		t.Error("nobody looks where the engine answers")
	}
	if at := o.looker(t.Context(), &upgrade.Entry{EngineID: "docker gone /"}); at != nil {
		t.Errorf("what another engine leaves is looked for at %v", at)
	}
}
