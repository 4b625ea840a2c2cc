package upgrade

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/driver"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// rebuilding is a NemoClaw that does to the world what its rebuild would do.
type rebuilding struct {
	exit int
	err  error
	do   func(ctx context.Context)
	log  string
}

func (r *rebuilding) Rebuild(ctx context.Context, _, log string) (int, error) {
	r.log = log
	if r.do != nil {
		r.do(ctx)
	}
	return r.exit, r.err
}

// replace deletes the old sandbox and makes a new one that holds files.
func (w *world) replace(t *testing.T, files []dockertest.File) func(context.Context) {
	return func(ctx context.Context) {
		gateway := &remote{socket: w.socket, point: nowhere}
		recipe, err := gateway.Recipe(ctx, driver.Place{}, "alpha")
		request, second := recipe.Request()
		if err != nil || second != nil {
			t.Error(err, second)
			return
		}
		if err := gateway.DeleteSandbox(ctx, ref("id-alpha")); err != nil {
			t.Error(err)
		}
		if files == nil {
			return
		}
		record, err := gateway.CreateSandbox(ctx, request)
		if err != nil {
			t.Error(err)
		}
		c, _ := w.container(record.ID)
		w.put(t, c.ID, append([]dockertest.File{{Path: "/sandbox"}}, files...)) // a file takes a folder's place, with all that is in it
	}
}

func without(files []dockertest.File, lost string) (kept []dockertest.File) {
	for _, f := range files {
		if f.Path != lost {
			kept = append(kept, f)
		}
	}
	return kept
}

// judgement is what NemoClaw did, and what is made of it.
type judgement struct {
	name       string
	exit       int
	files      []dockertest.File // of the new sandbox; nil: there is none
	idle       bool              // nothing is done at all
	outcome    OutcomeWord
	at         Step
	says       string
	unfinished bool
}

func judgements() []judgement {
	return []judgement{
		{name: "well", files: homeDir(), outcome: Upgraded, at: StepDone},
		{name: "complains, and a new sandbox is there", exit: 1, files: homeDir(), outcome: Upgraded, at: StepDone},
		{name: "exit 0, and nothing was done", idle: true, outcome: Failed, at: StepRebuilding, says: "the sandbox is the old one still"},
		{name: "fails before it deletes", exit: 1, idle: true, outcome: Failed, at: StepRebuilding, says: "nothing was deleted"},
		{name: "fails after it deleted", exit: 1, outcome: RolledBack, at: StepRebuilding, says: "does not list the sandbox any more"},
		{
			name: "exit 0, and state is missing", files: without(homeDir(), "/sandbox/.openclaw/workspace/plan.md"), outcome: Failed, at: StepComparing,
			says: "sandkeeper restore alpha --backup", unfinished: true,
		},
	}
}

func TestNemoClawsRebuildIsJudgedByLooking(t *testing.T) {
	for _, c := range judgements() {
		t.Run(c.name, func(t *testing.T) {
			w := startWorld(t, "running", "alpha")
			f := w.fit(t)
			r := &rebuilding{exit: c.exit}
			if !c.idle {
				r.do = w.replace(t, c.files)
			}
			f.NemoClaw = r
			targets, _ := f.targets(t.Context(), "alpha")
			targets[0].Way = ByNemoClaw
			ready, refused, err := f.Preconditions(t.Context(), targets)
			if err != nil || len(ready) != 1 {
				t.Fatal(refused, err)
			}
			got := f.Execute(t.Context(), ready)[0]
			if got.Outcome != c.outcome || got.Step != c.at || got.Unfinished != c.unfinished || !strings.Contains(got.Reason, c.says) {
				t.Fatalf("Execute = %+v, want %s at %s: %s", got, c.outcome, c.at, c.says)
			}
			if got.Log != r.log || filepath.Dir(got.Log) != f.Journal.Dir() {
				t.Errorf("log is %q, NemoClaw was given %q", got.Log, r.log)
			}
			if !c.unfinished {
				w.settled(t, f, "alpha", "running")
				return
			}
			folder := filepath.Dir(f.Journal.Dir())
			f.Journal.Close()
			again, err := fit(t.Context(), folder, w.engine.Host(), w.socket, nowhere)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Journal.Close()
			back, err := again.task(t.Context(), "rollback")
			if err != nil || back[0].Outcome != RolledBack {
				t.Fatalf("rollback = %+v, %v", back, err)
			}
			w.settled(t, again, "alpha", "running")
		})
	}
}

func TestARebuildByNemoClawThatWasCutOffIsNotRunTwice(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	f := w.fit(t)
	replace := w.replace(t, homeDir())
	f.NemoClaw = &rebuilding{do: func(ctx context.Context) {
		replace(ctx)
		panic("killed")
	}}
	targets, _ := f.targets(t.Context(), "alpha")
	targets[0].Way = ByNemoClaw
	ready, _, err := f.Preconditions(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Execute(t.Context(), ready)[0]; !got.Unfinished || got.Step != StepRebuilding {
		t.Fatalf("Execute = %+v", got)
	}
	f.NemoClaw = &rebuilding{do: func(context.Context) { t.Error("NemoClaw was run again") }}
	again, err := f.task(t.Context(), "resume")
	if err != nil || again[0].Outcome != Upgraded {
		t.Fatalf("resume = %+v, %v", again, err)
	}
	w.settled(t, f, "alpha", "running")
}

func nemoclawScript(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nemoclaw")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNemoClawCommand(t *testing.T) {
	e := env.Parse([]string{"PATH=/bin:/usr/bin", "HOME=" + t.TempDir()})
	path := nemoclawScript(t, `[ "$1" = --help ] && { echo "nemoclaw <name> rebuild   Rebuild it"; exit 0; }
echo "args: $*"; echo "trouble" >&2; exit 3`)
	n, err := FindRebuild(t.Context(), e, os.Geteuid(), path)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	exit, err := n.Rebuild(t.Context(), "alpha", log)
	text, _ := os.ReadFile(log)
	if diff := cmp.Diff("args: alpha rebuild --yes\n\n--- standard error ---\ntrouble\n", string(text)); diff != "" || exit != 3 || err != nil {
		t.Errorf("Rebuild = %d, %v\n%s", exit, err, diff)
	}
	if info, err := os.Stat(log); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("log has mode %v, %v, want 0600", info.Mode(), err)
	}
	for _, name := range []string{"--force", "", "a/b"} {
		if _, err := n.Rebuild(t.Context(), name, log); err == nil {
			t.Errorf("Rebuild took the name %q", name)
		}
	}
	if _, err := FindRebuild(t.Context(), e, os.Geteuid(), nemoclawScript(t, "echo nemoclaw onboard")); err == nil {
		t.Error("FindRebuild found a command that its help does not have")
	}
	if _, err := FindRebuild(t.Context(), e, os.Geteuid(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("FindRebuild of nothing = %v", err)
	}
}
