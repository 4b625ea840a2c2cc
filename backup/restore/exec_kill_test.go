package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
	"sandkeeper/openshell"
)

// execOrder tells a restore in a process of its own what to do, and when to kill itself.
type execOrder struct {
	Home, Root, Backup, Journal string
	Scope                       Scope
	Call                        int  // the command at which it kills itself; 0: none
	CarriedOut                  bool // after the command, not before it
	Env                         []string
}

// execVictim restores as it was told.
func execVictim(o execOrder) error {
	store, err := store.Open(o.Root, store.Options{UID: os.Getuid()})
	if err != nil {
		return err
	}
	b, err := store.Find("alpha", o.Backup)
	if err != nil {
		return err
	}
	die := backuptest.DieAt(o.Call)
	called := func(openshell.ExecRequest, string) error { die(); return nil }
	f := &backuptest.Folder{Dir: o.Home, Env: append(o.Env, fmt.Sprintf("VICTIM=%d", os.Getpid()))}
	if f.Before = called; o.CarriedOut {
		f.Before, f.After = nil, called
	}
	_, err = Restore(context.Background(), Request{
		Store: store, Backup: b, CLI: f, Target: backuptest.ByExec("alpha"), Scope: o.Scope, Consent: true, Journal: o.Journal,
	})
	return err
}

// cutter is a folder with a "mv" that counts, and at the n-th time kills the process VICTIM and, when CUT is "shell", its script.
func cutter(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	script := `#!/bin/sh
n=$(($(cat "$COUNT" 2>/dev/null || echo 0) + 1)); echo $n > "$COUNT"
if [ $n = "$AT" ]; then kill -9 $VICTIM 2>/dev/null; if [ "$CUT" = shell ]; then kill -9 $PPID; exit 137; fi; fi
[ "$CUT" = shell ] || sleep 0.02
exec /bin/mv "$@"
`
	if err := os.WriteFile(filepath.Join(dir, "mv"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func cutAt(t *testing.T, shim, cut string, at int) []string {
	t.Helper()
	count := filepath.Join(t.TempDir(), "n")
	return []string{"PATH=" + shim + ":" + os.Getenv("PATH"), "COUNT=" + count, "CUT=" + cut, fmt.Sprintf("AT=%d", at), "VICTIM=none"}
}

// halfway is a sandbox reached through its gateway, with a backup and content of its own since, into which a restore is killed.
type halfway struct {
	dir, journal string
	store        *store.Store
	order        execOrder
	old, restore map[string]string
}

func newHalfway(t *testing.T, scope Scope) *halfway {
	t.Helper()
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{
		".openclaw/workspace/a": "then", ".openclaw/skills/only-then": "1", ".openclaw/cron/job": "then", "top": "then", "-odd \n name": "then",
	})
	s, b := execSaved(t, f, "service.env", ".openclaw/workspace/deep.env") // as backups of version 1 do
	if err := os.RemoveAll(filepath.Join(f.Dir, ".openclaw/skills")); err != nil {
		t.Fatal(err)
	}
	backuptest.Write(t, f.Dir, map[string]string{
		".openclaw/workspace/a": "now", ".openclaw/workspace/only-now": "1", ".openclaw/cron/job": "now", "top": "now", "service.env": "TOKEN=x", "l": "->/etc",
		".openclaw/workspace/deep.env": "TOKEN=y",
	})
	k := &halfway{dir: f.Dir, journal: filepath.Join(t.TempDir(), "restoring"), store: s, old: backuptest.Contents(t, f.Dir)}
	k.restore = map[string]string{
		".openclaw/": "", ".openclaw/workspace/": "", ".openclaw/workspace/a": "then", ".openclaw/workspace/deep.env": "TOKEN=y", ".openclaw/skills/": "",
		".openclaw/skills/only-then": "1", ".openclaw/cron/": "", ".openclaw/cron/job": "then", "top": "then", "-odd \n name": "then", "service.env": "TOKEN=x",
	}
	if scope == ScopeState {
		k.restore["top"], k.restore["l"] = "now", "->/etc"
	}
	k.order = execOrder{Home: f.Dir, Root: s.Root(), Backup: b.ID, Journal: k.journal, Scope: scope}
	return k
}

// run restores in a process of its own and reports whether it was killed.
func (k *halfway) run(t *testing.T) bool {
	t.Helper()
	return backuptest.Killed(t, "exec-restore", k.order)
}

// settle does what the next run of any command does, as often as it takes, and says what the home is.
func (k *halfway) settle(t *testing.T, env func(n int) []string) string {
	t.Helper()
	var err error
	for n := 1; n < 40; n++ {
		left := 0
		for record, named := range journal.ExecRestores(k.journal).Abandoned() {
			if named != nil {
				t.Fatal(named)
			}
			left++
			f := &backuptest.Folder{Dir: k.dir}
			if env != nil {
				f.Env = env(n)
			}
			if err = FinishExecRestore(t.Context(), record, f); err != nil && env == nil {
				t.Fatal(err)
			}
		}
		if left == 0 {
			return k.state(t)
		}
	}
	t.Fatalf("never finished: %v", err)
	return ""
}

func (k *halfway) state(t *testing.T) string {
	t.Helper()
	switch now := backuptest.Contents(t, k.dir); {
	case cmp.Equal(now, k.old):
		return "old"
	case cmp.Equal(now, k.restore):
		return "new"
	default:
		t.Errorf("neither old nor new; old (-want +got):\n%s\nnew (-want +got):\n%s", cmp.Diff(k.old, now), cmp.Diff(k.restore, now))
		return "neither"
	}
}

// kill -9 of the whole restore before and after every command that it runs in the sandbox: the next run makes the home old or new,
// with the credentials that are in no backup, and leaves nothing in it.
func TestKillExecRestoreAtEveryCommand(t *testing.T) {
	for _, scope := range []Scope{ScopeFull, ScopeState} {
		for _, carriedOut := range []bool{false, true} {
			seen := map[string]int{}
			for n := 1; ; n++ {
				k := newHalfway(t, scope)
				k.order.Call, k.order.CarriedOut = n, carriedOut
				died := k.run(t)
				seen[k.settle(t, nil)]++
				if t.Failed() {
					t.Fatalf("scope %s, command %d, carried out %t", scope, n, carriedOut)
				}
				if !died {
					break
				}
			}
			if seen["old"] < 5 || seen["new"] < 2 {
				t.Errorf("scope %s, carried out %t: %v", scope, carriedOut, seen)
			}
		}
	}
}

// A script of the restore is killed with it at every single rename, and so is every attempt to clear up, each at a later rename.
func TestCutExecRestoreAtEveryRename(t *testing.T) {
	shim := cutter(t)
	for _, scope := range []Scope{ScopeFull, ScopeState} {
		renames := 0
		for at := 1; ; at++ {
			k := newHalfway(t, scope)
			k.order.Env = cutAt(t, shim, "shell", at)
			died := k.run(t)
			k.settle(t, func(n int) []string { return cutAt(t, shim, "shell", n) })
			if t.Failed() {
				t.Fatalf("scope %s, rename %d", scope, at)
			}
			if !died {
				break
			}
			renames++
		}
		if renames < 6 {
			t.Errorf("scope %s: only %d renames", scope, renames)
		}
	}
}

// A script that goes on in the sandbox when the restore is dead is waited for.
func TestExecRestoreOutlivedByItsScript(t *testing.T) {
	shim := cutter(t)
	for at := 1; ; at++ {
		k := newHalfway(t, ScopeFull)
		k.order.Env = cutAt(t, shim, "none", at)
		died := k.run(t)
		k.settle(t, nil)
		if t.Failed() {
			t.Fatalf("rename %d", at)
		}
		if !died {
			return
		}
	}
}

// The next restore into the same sandbox finishes what a killed one left before it begins.
func TestExecRestoreTakesOver(t *testing.T) {
	k := newHalfway(t, ScopeFull)
	k.order.Env = cutAt(t, cutter(t), "shell", 3)
	if !k.run(t) {
		t.Fatal("the restore was not killed")
	}
	k.order.Env = nil
	if k.run(t) || k.state(t) != "new" {
		t.Error("the second restore did not do it")
	}
	if left := journaltest.Values(t, journal.ExecRestores(k.journal)); len(left) != 0 {
		t.Errorf("the shelf has %+v", left)
	}
}

// A stage whose journal is lost may hold the only copy of something: nothing is done to it.
func TestExecRestoreLeavesAForeignStageAlone(t *testing.T) {
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{"a": "then"})
	s, b := execSaved(t, f)
	backuptest.Write(t, f.Dir, map[string]string{journal.StagePrefix + "x/old/precious": "1"})
	before := backuptest.Contents(t, f.Dir)
	_, err := execRestore(t, f, s, b, ScopeFull)
	if err == nil || !strings.Contains(err.Error(), "of an earlier restore") || !cmp.Equal(before, backuptest.Contents(t, f.Dir)) {
		t.Errorf("%v: %s", err, cmp.Diff(before, backuptest.Contents(t, f.Dir)))
	}
}

// A restore that is under way is not taken over from: the second one changes nothing.
func TestExecRestoreLeavesALivingOneAlone(t *testing.T) {
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{"a": "then"})
	s, b := execSaved(t, f)
	backuptest.Write(t, f.Dir, map[string]string{"a": "now"})
	dir := filepath.Join(t.TempDir(), "restoring")
	living := journal.ExecRestore{
		Sandbox: "alpha", Gateway: "gw", Home: f.Dir, Stage: filepath.Join(f.Dir, journal.StagePrefix+"y"), Step: journal.ExecSwapping, At: time.Now(),
	}
	journaltest.Hold(t, journal.ExecRestores(dir), living.Key(), living)
	before := backuptest.Contents(t, f.Dir)
	_, err := Restore(t.Context(), Request{Store: s, Backup: b, CLI: f, Target: backuptest.ByExec("alpha"), Consent: true, Journal: dir})
	if held, ok := errors.AsType[*journal.HeldError](err); !ok || held.Holder.PID != os.Getpid() || !cmp.Equal(before, backuptest.Contents(t, f.Dir)) {
		t.Errorf("%v: %s", err, cmp.Diff(before, backuptest.Contents(t, f.Dir)))
	}
	if there := journaltest.Values(t, journal.ExecRestores(dir)); len(there) != 1 || there[0].Stage != living.Stage {
		t.Errorf("the shelf has %+v", there)
	}
}
