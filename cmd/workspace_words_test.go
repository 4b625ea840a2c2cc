package cmd

import (
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/restore"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/recreate"
	"sandkeeper/sandbox"
)

// What is said of a sandbox in another workspace, and each command that is printed, names the workspace: the same
// command without it acts on another sandbox.
func TestWordsAboutAnotherWorkspaceNameIt(t *testing.T) {
	inTeam2 := sandbox.Sandbox{Name: "alpha", Gateway: "gw", Workspace: "team2"}
	entry := recreate.Entry{Name: "alpha", Gateway: "gw", Workspace: "team2", Backup: "20261121T101500Z-1f3a", Step: recreate.StepWaiting}
	for _, tc := range []struct {
		err  error
		says []string
	}{
		{&recreate.ExistsError{Sandbox: inTeam2, Phase: "Ready"}, []string{`has a sandbox "team2/alpha" already`, "sandkeeper restore team2/alpha puts"}},
		{&recreate.ExistsError{Sandbox: inTeam2, Phase: "Error"}, []string{
			"`openshell sandbox start alpha -g gw --workspace team2` is refused", "backup-all --only team2/alpha saves", "then openshell sandbox delete alpha -g gw --workspace team2, and: again",
		}},
		{&recreate.UnfinishedError{Entry: entry}, []string{
			`sandbox "team2/alpha" is half made`, "sandkeeper restore team2/alpha --recreate --backup 20261121T101500Z-1f3a\n", "openshell sandbox delete alpha -g gw --workspace team2, then again",
		}},
		{&recreate.MissingError{Name: "team2/alpha", Gateway: "gw", Providers: []string{"hub"}}, []string{
			"`openshell provider create --name hub -g gw --workspace team2 …`, then run: again",
		}},
	} {
		f := failureOf(notMade(tc.err, "again"))
		for _, want := range tc.says {
			if said := f.Error() + "\n" + f.Hint; !strings.Contains(said, want) {
				t.Errorf("%T lacks %q:\n%s", tc.err, want, said)
			}
		}
	}

	there := &recreate.ExistsError{Sandbox: inTeam2, Phase: "Ready"}
	if f := failureOf(notMade(there, "sandkeeper restore team2/alpha --recreate --backup 1 --store s3://b")); !strings.HasPrefix(f.Hint, "sandkeeper restore team2/alpha --backup 1 --store s3://b puts") {
		t.Errorf("what is advised finds the backup: %s", f.Hint)
	}
	entry.Again = "sandkeeper migrate import -g gw"
	if f := failureOf(notMade(&recreate.UnfinishedError{Entry: entry}, "again")); !strings.Contains(f.Hint, "to go on: sandkeeper migrate import -g gw\n") {
		t.Errorf("what an import has begun, it goes on with: %s", f.Hint)
	}
	entry.Again = ""

	left := restore.Interruption{Restore: journal.Restore{Sandbox: "alpha", Through: &journal.Through{Gateway: "gw", Workspace: "team2"}}}
	if got := startOf(left).Invocation("start"); got != "openshell sandbox start alpha -g gw --workspace team2" {
		t.Errorf("an interrupted restore: %s", got)
	}

	h := newHost(t)
	state := filepath.Join(h.home, ".local/state/sandkeeper")
	journaltest.Leave(t, recreate.Unfinished(state), journal.SandboxKey("gw", "team2", "alpha"), entry)
	want := `sandbox "team2/alpha" is half made (at waiting`
	if _, _, stderr := h.run("backups", "list"); !strings.Contains(stderr, want) || !strings.Contains(stderr, entry.Command()) {
		t.Errorf("stderr lacks %q or %q:\n%s", want, entry.Command(), stderr)
	}
}
