package recreate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/test/e2e/gateway"
)

// world is a gateway without sandboxes, a backup of one that was there, and a Maker between the two.
type world struct {
	t       *testing.T
	memory  *gateway.Memory
	backend *moody
	api     *driver.API
	maker   *Maker
	order   Order

	calls []string
	at    func(place string) // told each place where a process may die
}

// moody is a gateway that a test can make behave badly.
type moody struct {
	*gateway.Memory
	create func(gateway.Sandbox) (gateway.Sandbox, error)
}

func (m *moody) Create(ctx context.Context, s gateway.Sandbox) (gateway.Sandbox, error) {
	if m.create != nil {
		return m.create(s)
	}
	return m.Memory.Create(ctx, s)
}

func pair(name, value string) string {
	text := func(to []byte, n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(to, n, protowire.BytesType), v)
	}
	return string(text(text(nil, 1, name), 2, value))
}

func specOf(image, token string) []byte {
	text := func(to []byte, n protowire.Number, v string) []byte {
		return protowire.AppendString(protowire.AppendTag(to, n, protowire.BytesType), v)
	}
	return text(text(nil, 5, pair("TOKEN", token)), 6, string(text(nil, 1, image)))
}

func newWorld(t *testing.T, version string) *world {
	t.Helper()
	w := &world{t: t, memory: gateway.NewMemory(), at: func(string) {}}
	w.backend = &moody{Memory: w.memory}
	w.serve(version)
	dir := t.TempDir()
	kept, err := store.Open(filepath.Join(dir, "backups"), store.Options{UID: os.Getuid()})
	w.must(err)
	made, err := kept.Create(t.Context(), store.NewBackup{Manifest: archive.Manifest{Sandbox: "alpha", SandboxID: "id-old", Gateway: "gw", Home: "/sandbox"}},
		func(context.Context, *archive.Archive) error { return nil })
	w.must(err)
	w.order = Order{
		Recipe: driver.Recipe{SandboxID: "id-old", Name: "alpha", Gateway: "gw", Image: "img:1", Spec: specOf("img:1", "s3cret"), Labels: map[string]string{"team": "red"}},
		Store:  kept, Backup: made, Running: true,
	}
	w.maker = &Maker{
		State: filepath.Join(dir, "state"), Settle: -1, Poll: time.Millisecond, ReadyLimit: 2 * time.Second, Switch: w,
		Driver: func(context.Context, driver.Place) (lifecycle.Driver, error) { return w, nil },
		Locate: func(_ context.Context, made lifecycle.Record, _ driver.Place) (Found, error) {
			return Found{Sandbox: sandbox.Sandbox{Name: made.Name, ID: made.ID, Container: &engine.Container{ID: "c-" + made.ID}}}, nil
		},
		Progress: func(_ string, step Step) { w.at("at " + string(step)) },
		fill:     w.fill,
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) serve(version string) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { _ = (&gateway.Server{Version: version, Backend: w.backend}).Serve(ctx, l) })
	w.t.Cleanup(func() { stop(); wait.Wait() })
	home := w.t.TempDir()
	folder := filepath.Join(home, ".config/openshell/gateways/gw")
	registration := fmt.Sprintf(`{"name":"gw","gateway_endpoint":"http://%s","auth_mode":"plaintext"}`, l.Addr())
	w.must(errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "metadata.json"), []byte(registration), 0o600)))
	api, err := openshell.Connect(w.t.Context(), env.Parse([]string{"HOME=" + home}), "gw", version)
	w.must(err)
	w.t.Cleanup(func() { api.Close() })
	api.PollInterval = 5 * time.Millisecond
	w.api = &driver.API{API: api, DeleteLimit: 5 * time.Second}
}

// did notes an effect, between two places where a process may die.
func (w *world) did(what string, effect func() error) error {
	w.at("before " + what)
	w.calls = append(w.calls, what)
	err := effect()
	w.at("after " + what)
	return err
}

// The world is the driver, the switch and the home of what is made.

func (w *world) CreateSandbox(ctx context.Context, r lifecycle.Request) (record lifecycle.Record, err error) {
	_ = w.did("create", func() error { record, err = w.api.CreateSandbox(ctx, r); return err })
	return record, err
}

func (w *world) DeleteSandbox(ctx context.Context, r lifecycle.Reference) error {
	return w.did("delete", func() error { return w.api.DeleteSandbox(ctx, r) })
}

func (w *world) ListSandboxes(ctx context.Context) ([]lifecycle.Record, error) {
	return w.api.ListSandboxes(ctx)
}

func (w *world) WatchSandboxes(ctx context.Context, handle func(lifecycle.Change) error) error {
	return w.api.WatchSandboxes(ctx, handle)
}

func (w *world) StopSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	return w.did("stop", func() error { _, err := w.memory.SetPhase(ctx, sb.Name, gateway.Stopped); return err })
}

func (w *world) StartSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	return w.did("start", func() error { _, err := w.memory.SetPhase(ctx, sb.Name, gateway.Ready); return err })
}

func (w *world) fill(_ context.Context, r restore.Request) (restore.Summary, error) {
	err := w.did("fill", func() error {
		for _, s := range w.listed() {
			if s.ID == r.Target.ID && s.Phase != gateway.Stopped {
				return errors.New("its home was written while it ran")
			}
		}
		return nil
	})
	return restore.Summary{Done: err == nil, Backup: r.Backup.ID}, err
}

func (w *world) listed() []gateway.Sandbox {
	w.t.Helper()
	all, err := w.memory.List(w.t.Context())
	w.must(err)
	return all
}

// whole fails the test unless the one sandbox is as it was: its recipe, its labels, its phase, and nothing half made.
func (w *world) whole(outcome Outcome, phase gateway.Phase) {
	w.t.Helper()
	all := w.listed()
	if len(all) != 1 || all[0].ID != outcome.ID || all[0].Phase != phase || string(all[0].Spec) != string(w.order.Recipe.Spec) || all[0].Labels["team"] != "red" {
		w.t.Errorf("the gateway has %+v, the outcome is %+v", all, outcome)
	}
	if left, err := Unfinished(w.maker.State).All(); err != nil || len(left) > 0 {
		w.t.Errorf("left in the journal: %+v, %v", left, err)
	}
}

func generations(t *testing.T, do func(t *testing.T, w *world)) {
	t.Helper()
	for _, version := range []string{"0.0.110", "0.1.5"} {
		t.Run(version, func(t *testing.T) { do(t, newWorld(t, version)) })
	}
}

func TestSandboxIsMadeAgain(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		outcome, err := w.maker.Make(t.Context(), w.order)
		w.must(err)
		w.whole(outcome, gateway.Ready)
		if got := strings.Join(w.calls, " "); got != "create stop fill start" {
			t.Errorf("done: %s", got)
		}
		if _, err := w.maker.Make(t.Context(), w.order); err == nil || !strings.Contains(err.Error(), `has a sandbox "alpha" already (Ready)`) {
			t.Errorf("made twice: %v", err)
		}
	})
	generations(t, func(t *testing.T, w *world) {
		w.order.Running = false
		outcome, err := w.maker.Make(t.Context(), w.order)
		w.must(err)
		w.whole(outcome, gateway.Stopped)
	})
}

type killed string

// TestKilledAnywhereAndRepeated dies at every place in turn. The second call finishes: one sandbox, created once unless the first
// creation came to nothing, its home filled to the end.
func TestKilledAnywhereAndRepeated(t *testing.T) {
	var places []string
	w := newWorld(t, "0.1.5")
	w.at = func(place string) { places = append(places, place) }
	_, err := w.maker.Make(t.Context(), w.order)
	w.must(err)
	if len(places) < 12 {
		t.Fatalf("only %d places: %q", len(places), places)
	}
	for _, place := range places {
		generations(t, func(t *testing.T, w *world) {
			w.at = func(now string) {
				if now == place {
					panic(killed(place))
				}
			}
			func() {
				defer func() {
					if p := recover(); p != killed(place) {
						t.Fatalf("%s: %v", place, p)
					}
				}()
				_, _ = w.maker.Make(t.Context(), w.order)
			}()
			w.at = func(string) {}
			outcome, err := w.maker.Make(t.Context(), w.order)
			if err != nil || !outcome.Resumed {
				t.Fatalf("%s: %+v, %v", place, outcome, err)
			}
			w.whole(outcome, gateway.Ready)
			if n := strings.Count(strings.Join(w.calls, " "), "create"); n > 1 && place != "before create" {
				t.Errorf("%s: created %d times: %q", place, n, w.calls)
			}
		})
	}
}

// TestOthersAreNeverTouched: a sandbox of that name that we did not make stays as it is, also where a call died before it had asked.
func TestOthersAreNeverTouched(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		w.at = func(place string) {
			if place == "before create" {
				panic(killed(place))
			}
		}
		func() {
			defer func() { _ = recover() }()
			_, _ = w.maker.Make(t.Context(), w.order)
		}()
		w.at = func(string) {}
		theirs, err := w.memory.Create(t.Context(), gateway.Sandbox{Name: "alpha", Spec: specOf("img:1", "another")})
		w.must(err)
		for range 2 {
			_, err = w.maker.Make(t.Context(), w.order)
			if _, exists := errors.AsType[*ExistsError](err); !exists {
				t.Fatalf("%v", err)
			}
		}
		if all := w.listed(); len(all) != 1 || all[0].ID != theirs.ID || all[0].Phase != gateway.Ready {
			t.Errorf("the gateway has %+v", all)
		}
	})
}

// TestWhatDoesNotComeUpIsTakenBack leaves neither a sandbox nor a record, so that the same call can be made again.
func TestWhatDoesNotComeUpIsTakenBack(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		w.backend.create = func(s gateway.Sandbox) (gateway.Sandbox, error) {
			made, err := w.memory.Create(t.Context(), s)
			if err == nil {
				made, err = w.memory.SetPhase(t.Context(), "alpha", gateway.Failed)
			}
			return made, err
		}
		_, err := w.maker.Make(t.Context(), w.order)
		if err == nil || !strings.Contains(err.Error(), `its gateway says "Error"`) || !strings.Contains(err.Error(), "deleted again") {
			t.Errorf("%v", err)
		}
		if len(w.listed()) != 0 {
			t.Errorf("left behind: %+v", w.listed())
		}
		w.backend.create = nil
		outcome, err := w.maker.Make(t.Context(), w.order)
		w.must(err)
		if w.whole(outcome, gateway.Ready); outcome.Resumed {
			t.Error("what was taken back is gone on with")
		}
	})
}

// TestWhatAnEarlierCallMadeIsNotDeleted: it may have been worked in between the kill and the call that goes on.
func TestWhatAnEarlierCallMadeIsNotDeleted(t *testing.T) {
	generations(t, func(t *testing.T, w *world) {
		w.at = func(place string) {
			if place == "at "+string(StepWaiting) {
				panic(killed(place))
			}
		}
		func() {
			defer func() { _ = recover() }()
			_, _ = w.maker.Make(t.Context(), w.order)
		}()
		w.at = func(string) {}
		_, err := w.memory.SetPhase(t.Context(), "alpha", gateway.Failed)
		w.must(err)
		_, err = w.maker.Make(t.Context(), w.order)
		if err == nil || !strings.Contains(err.Error(), "was not deleted") || !strings.Contains(err.Error(), "sandbox delete alpha") {
			t.Errorf("%v", err)
		}
		if all := w.listed(); len(all) != 1 {
			t.Errorf("the gateway has %+v", all)
		}
	})
}

// TestRefusalsTouchNothing: what the gateway lacks, and an unfinished call for another backup, are told before anything is done.
func TestRefusalsTouchNothing(t *testing.T) {
	w := newWorld(t, "0.1.5")
	w.order.Recipe.Providers = []string{"github"}
	w.maker.Providers = func(context.Context, driver.Place, []string) ([]string, error) { return []string{"github"}, nil }
	for what, try := range map[string]func() error{
		"make":  func() error { _, err := w.maker.Make(t.Context(), w.order); return err },
		"check": func() error { _, err := w.maker.Check(t.Context(), w.order); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), "provider github") || len(w.calls) > 0 {
			t.Errorf("%s: %v, done: %q", what, err, w.calls)
		}
	}
	w.maker.Providers, w.order.Again = nil, "sandkeeper migrate import -g gw"
	w.at = func(place string) {
		if place == "before fill" {
			panic(killed(place))
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = w.maker.Make(t.Context(), w.order)
	}()
	w.at = func(string) {}
	if resumes, err := w.maker.Check(t.Context(), w.order); err != nil || !resumes {
		t.Errorf("an unfinished one is not seen: %v", err)
	}
	other := w.order
	other.Backup.ID, other.Again = "20261121T101500Z-ffff", "sandkeeper restore alpha --recreate"
	_, err := w.maker.Make(t.Context(), other)
	half, _ := errors.AsType[*UnfinishedError](err)
	if half == nil || !strings.Contains(err.Error(), "half made from backup "+w.order.Backup.ID) {
		t.Fatalf("another backup: %v", err)
	}
	if got := half.Command(); got != w.order.Again {
		t.Errorf("to go on: %q", got)
	}
}

// stuck is a gateway that has what was made in a phase that it leads nowhere from.
type stuck struct{ *world }

func (s stuck) StopSandbox(context.Context, sandbox.Sandbox) error { return openshell.ErrPhase }

// TestGatewayThatCannotStopLeavesItToTheRestore: the restore stops the container by itself, so a phase such as Error is no dead end.
func TestGatewayThatCannotStopLeavesItToTheRestore(t *testing.T) {
	w := newWorld(t, "0.1.5")
	w.maker.Switch = stuck{w}
	w.maker.fill = func(context.Context, restore.Request) (restore.Summary, error) {
		return restore.Summary{Done: true}, nil
	}
	outcome, err := w.maker.Make(t.Context(), w.order)
	w.must(err)
	w.whole(outcome, gateway.Ready)
}
