package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/openshell"
)

func execRestore(t *testing.T, f *backuptest.Folder, s *store.Store, b store.Backup, scope Scope) (Summary, error) {
	t.Helper()
	return Restore(t.Context(), Request{Store: s, Backup: b, CLI: f, Target: backuptest.ByExec("alpha"), Scope: scope, Consent: true})
}

func execSaved(t *testing.T, f *backuptest.Folder, leftOut ...string) (*store.Store, store.Backup) {
	t.Helper()
	s := storetest.NewStore(t, store.Options{})
	sb := backuptest.ByExec("alpha")
	return s, save(t, s, &home.ExecHome{Cli: f, Gateway: sb.Gateway, Name: sb.Name, Dir: "/sandbox"}, sb.Name, leftOut...)
}

func TestExecRestoreReplacesTheHome(t *testing.T) {
	f := &backuptest.Folder{Dir: t.TempDir()}
	then := map[string]string{
		"a": "1", ".hidden": "2", "dir/": "", "dir/b": "3", "l": "->a", "empty": "", "-rf": "x", "odd\nname": "4",
		"big": strings.Repeat("0123456789", 250_000), // three pieces
	}
	backuptest.Write(t, f.Dir, then)
	s, b := execSaved(t, f)
	backuptest.Write(t, f.Dir, map[string]string{"a": "now", "dir/new": "now", "added": "now"})
	f.Calls = nil
	summary, err := execRestore(t, f, s, b, ScopeFull)
	if err != nil || !summary.Done || summary.Previous == "" {
		t.Fatalf("%+v, %v", summary, err)
	}
	if diff := cmp.Diff(then, backuptest.Contents(t, f.Dir)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
	for _, call := range f.Calls {
		if in, ok := call.Stdin.(*strings.Reader); ok && in.Size() >= 1_000_000 {
			t.Errorf("a piece of %d bytes is more than a gateway takes", in.Size())
		}
	}
}

func TestExecRestoreOfState(t *testing.T) {
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{".openclaw/workspace/memo": "then", ".openclaw/workspace-x/m": "then", ".openclaw/plugins": "then", "p": "then"})
	s, b := execSaved(t, f)
	if err := os.RemoveAll(filepath.Join(f.Dir, ".openclaw/workspace-x")); err != nil {
		t.Fatal(err)
	}
	backuptest.Write(t, f.Dir, map[string]string{".openclaw/workspace/memo": "now", ".openclaw/workspace/new": "now", ".openclaw/plugins": "now", "p": "now"})
	if _, err := execRestore(t, f, s, b, ScopeState); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".openclaw/": "", ".openclaw/workspace/": "", ".openclaw/workspace/memo": "then", ".openclaw/workspace-x/": "",
		".openclaw/workspace-x/m": "then", ".openclaw/plugins": "now", "p": "now",
	}
	if diff := cmp.Diff(want, backuptest.Contents(t, f.Dir)); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
}

// Whichever command of a restore is lost, before or after the sandbox carried it out: the home is as before or as restored, the
// cause is told, and nothing lies about in an unchanged home.
func TestExecRestoreIsOldOrNew(t *testing.T) {
	for _, scope := range []Scope{ScopeFull, ScopeState} {
		for _, carriedOut := range []bool{false, true} {
			commands := 0
			for n := 1; loseCall(t, scope, carriedOut, n); n++ {
				commands = n
			}
			if commands < 6 {
				t.Errorf("only %d commands were run", commands)
			}
		}
	}
}

// loseCall restores, loses the n-th command, and reports whether there were so many.
func loseCall(t *testing.T, scope Scope, carriedOut bool, n int) bool {
	t.Helper()
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{".openclaw/workspace/a": "then", ".openclaw/skills/only-then": "1"})
	s, b := execSaved(t, f)
	if err := os.RemoveAll(filepath.Join(f.Dir, ".openclaw/skills")); err != nil {
		t.Fatal(err)
	}
	backuptest.Write(t, f.Dir, map[string]string{".openclaw/workspace/a": "now", ".openclaw/workspace/only-now": "1"})
	before, calls := backuptest.Contents(t, f.Dir), 0
	lose := func(openshell.ExecRequest, string) error {
		if calls++; calls == n {
			return fmt.Errorf("call %d lost", n)
		}
		return nil
	}
	if f.Before = lose; carriedOut {
		f.Before, f.After = nil, lose
	}
	_, err := execRestore(t, f, s, b, scope)
	if calls < n {
		return false
	}
	what := fmt.Sprintf("scope %s, carried out %t, call %d", scope, carriedOut, n)
	after := backuptest.Contents(t, f.Dir)
	if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("call %d lost", n)) {
		t.Errorf("%s: the cause is not told: %v", what, err)
	}
	restored := after[".openclaw/workspace/a"] == "then" && after[".openclaw/skills/only-then"] == "1" && after[".openclaw/workspace/only-now"] == ""
	if old := cmp.Diff(before, after) == ""; !old && !restored {
		t.Errorf("%s: neither old nor new: %v, %v", what, after, err)
	}
	return true
}
