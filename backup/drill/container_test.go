package drill

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/storetest"
)

// A container that the engine made although its answer was lost is taken away by the next drill, and only that one.
func TestAContainerWhoseMakingFailedIsSweptAway(t *testing.T) {
	daemon := dockertest.Start(t)
	e, state := engine.Dial(t.Context(), engine.Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + daemon.Host()})})
	if e == nil {
		t.Fatal(state.Why)
	}
	defer e.Close()
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	daemon.Break(dockertest.Fault{Call: "POST /containers/create", Status: http.StatusInternalServerError, Body: "its answer was lost"})
	o := Options{Store: st, Journal: t.TempDir()}
	for _, made := range []bool{true, false} {
		if _, err := o.make(t.Context(), e, engine.Apart{Image: "img:1"}); err == nil {
			t.Fatal("a container was made")
		}
		left, err := shelf(o.Journal).All()
		if err != nil || len(left) != 1 {
			t.Fatalf("the next drill finds %+v, %v", left, err)
		}
		if told, err := Left(o.Journal); err != nil || len(told) != 1 || told[0].Name != left[0].Value.Name {
			t.Errorf("told of it: %+v, %v", told, err)
		}
		id := ""
		if made {
			id = daemon.Add(dockertest.Container{Name: left[0].Value.Name, Labels: map[string]string{labelDrill: left[0].Key}})
		}

		swept, err := Sweep(t.Context(), o.Journal, []*engine.Engine{e})
		if err != nil || (len(swept) == 1) != made {
			t.Errorf("swept %q, %v", swept, err)
		}
		if _, err := e.Inspect(t.Context(), left[0].Value.Name); err == nil {
			t.Errorf("container %s is left", id)
		}
		if left, err := shelf(o.Journal).All(); err != nil || len(left) > 0 {
			t.Errorf("records of what is gone: %+v, %v", left, err)
		}
	}
}

// A drill that is killed while it restores leaves no copy of a home among the backups: each restore warned of it for ever, as of a sandbox's.
func TestAKilledDrillLeavesNoCopyAmongTheBackups(t *testing.T) {
	st := storetest.NewStore(t, store.Options{})
	o := Options{Store: st}
	keep := func() (root string, done func() error) {
		t.Helper()
		kept, done, err := o.keepApart()
		if err != nil {
			t.Fatal(err)
		}
		return kept.Root(), done
	}
	if err := os.MkdirAll(filepath.Join(st.Root(), "."+namePrefix+"1"), 0o700); err != nil { // by a killed drill
		t.Fatal(err)
	}
	root, done := keep()
	if err := os.WriteFile(filepath.Join(root, ".before-restore-alpha-1.tar.zst"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := st.Interrupted(); err != nil || len(left) > 0 {
		t.Errorf("a restore warns of %v, %v", left, err)
	}
	if names, err := st.Sandboxes(); err != nil || len(names) > 0 {
		t.Errorf("the folder passes for a sandbox: %v, %v", names, err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(st.Root(), "."+namePrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
