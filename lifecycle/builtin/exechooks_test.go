package builtin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/lifecycle"
)

// hooked is a chain of exec-hooks alone, in whose sandboxes commands are run by inside, and what it audits.
func hooked(t *testing.T, path, table string, inside lifecycle.Inside) (*lifecycle.Chain, *events) {
	t.Helper()
	registry, err := Registry()
	if err != nil {
		t.Fatal(err)
	}
	links, err := lifecycle.Configure(registry, lifecycle.Source{
		File: "config.toml", Data: []byte("[compute]\nextensions = [\"exec-hooks\"]\n[compute.extension.exec-hooks]\n" + table),
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := lifecycle.OpenStore(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	audit := &events{}
	chain, err := lifecycle.NewChain(lifecycle.Options{Links: links, Store: store, Audit: audit, Inside: inside})
	if err != nil {
		t.Fatal(err)
	}
	return chain, audit
}

type events struct{ all []lifecycle.Event }

func (e *events) Write(_ context.Context, event lifecycle.Event) error {
	e.all = append(e.all, event)
	return nil
}

const bothHooks = `before = ["/bin/sh", "-c", "stop"]
after = ["/bin/sh", "-c", "start"]
`

var hookedSandbox = lifecycle.Reference{ID: "id-1", Name: "alpha", Gateway: "gw"}

func TestHooksRunBeforeAndAfterAndTheirOutputIsAudited(t *testing.T) {
	var ran []string
	chain, audit := hooked(t, filepath.Join(t.TempDir(), "s.db"), bothHooks, func(_ context.Context, s lifecycle.Reference, command []string) (string, error) {
		ran = append(ran, s.Name+": "+strings.Join(command, " "))
		return "done " + command[2] + "\n\x1b[31m", nil
	})
	end, err := chain.BeginBackup(t.Context(), hookedSandbox)
	if err != nil || end(t.Context()) != nil {
		t.Fatal(err)
	}
	if want := []string{"alpha: /bin/sh -c stop", "alpha: /bin/sh -c start"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q", ran)
	}
	if len(audit.all) != 2 || audit.all[0].Details["output"] != "done stop" || audit.all[1].Name != "after_backup" {
		t.Errorf("audited %+v", audit.all)
	}
}

func TestAHookThatFailsAbortsOrIsIgnored(t *testing.T) {
	for table, want := range map[string]string{
		"": "abort", "on_failure = \"abort\"": "abort", "on_failure = \"ignore\"": "ignore",
	} {
		failing := errors.New("sh in the sandbox ended with exit status 3")
		chain, audit := hooked(t, filepath.Join(t.TempDir(), "s.db"), bothHooks+table, func(context.Context, lifecycle.Reference, []string) (string, error) {
			return "secret output", failing
		})
		_, err := chain.BeginBackup(t.Context(), hookedSandbox)
		if (want == "abort") != errors.Is(err, failing) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", want, err)
		}
		if len(audit.all) == 0 || audit.all[0].Details["output"] != "secret output" || audit.all[0].Severity != lifecycle.SeverityMedium {
			t.Errorf("%s: audited %+v", want, audit.all)
		}
	}
}

func TestAHookHasADeadlineThatIsDecidedOverAsAnyFailure(t *testing.T) {
	for table, want := range map[string]error{"on_failure = \"ignore\"\n": nil, "": lifecycle.ErrTimeout} {
		path := filepath.Join(t.TempDir(), "s.db")
		synctest.Test(t, func(t *testing.T) {
			chain, _ := hooked(t, path, bothHooks+table+"timeout = \"10s\"", func(ctx context.Context, _ lifecycle.Reference, _ []string) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
			began := time.Now()
			if _, err := chain.BeginBackup(t.Context(), hookedSandbox); !errors.Is(err, want) {
				t.Errorf("%q: %v", table, err)
			}
			if took := time.Since(began); took < 9*time.Second || took > 20*time.Second {
				t.Errorf("%q: ended after %s", table, took)
			}
		})
	}
}

func TestInASandboxThatIsGoneNothingIsRunAnyMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	inside := func(context.Context, lifecycle.Reference, []string) (string, error) {
		return "", lifecycle.ErrNotInside
	}
	chain, _ := hooked(t, path, "after = [\"true\"]", inside)
	end, err := chain.BeginBackup(t.Context(), hookedSandbox)
	if err != nil || !errors.Is(end(t.Context()), lifecycle.ErrNotInside) {
		t.Fatal(err)
	}
	if reports, err := chain.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": empty{}}); err != nil || len(reports) != 1 || reports[0].Err != nil {
		t.Errorf("reports %+v, %v", reports, err)
	}
	if reports, err := chain.EndBackups(t.Context()); err != nil || len(reports) != 0 {
		t.Errorf("still owed: %+v, %v", reports, err)
	}
}

// empty is a gateway without sandboxes.
type empty struct{ lifecycle.Driver }

func (empty) ListSandboxes(context.Context) ([]lifecycle.Record, error) { return nil, nil }

func TestHooksThatMakeNoSenseAreRefused(t *testing.T) {
	for table, want := range map[string]string{
		"":                                     "give a command",
		"before = [\"\"]":                      "it is empty",
		"after = [\"x\"]\non_failure = \"no\"": `neither "abort" nor "ignore"`,
	} {
		registry, _ := Registry()
		_, err := lifecycle.Configure(registry, lifecycle.Source{
			Data: []byte("[compute]\nextensions = [\"exec-hooks\"]\n[compute.extension.exec-hooks]\n" + table),
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", table, err)
		}
	}
}
