package noop

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"sandkeeper/lifecycle"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These tests hold what docs/extensions.md promises to authors, with nothing but what a module outside can use. Yours need not have
// them; run them when you take a new version of sandkeeper.

var errRefused = errors.New("refused")

// actor is an extension that writes down its phases, and does what a test puts in their place.
type actor struct {
	lifecycle.Defaults
	name  string
	notes *notes
	on    map[lifecycle.Phase]func(context.Context, *lifecycle.Builder) error
	see   lifecycle.ReconcileOutcome
}

type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := n.lines
	n.lines = nil
	return lines
}

func (a *actor) act(ctx context.Context, phase lifecycle.Phase, add *lifecycle.Builder) error {
	a.notes.add(a.name + " " + string(phase))
	if on := a.on[phase]; on != nil {
		return on(ctx, add)
	}
	return nil
}

func (a *actor) BeforeCreate(ctx context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	if err := a.act(ctx, lifecycle.BeforeCreate, add); err != nil {
		return nil, err
	}
	return lifecycle.NewState(1, a.name)
}

func (a *actor) AfterCreateSuccess(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	return nil, a.act(ctx, lifecycle.AfterCreateSuccess, nil)
}

func (a *actor) AfterCreateFailed(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	return nil, a.act(ctx, lifecycle.AfterCreateFailed, nil)
}

func (a *actor) BeforeDelete(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	return nil, a.act(ctx, lifecycle.BeforeDelete, nil)
}

func (a *actor) AfterDelete(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (*lifecycle.State, error) {
	return nil, a.act(ctx, lifecycle.AfterDelete, nil)
}

func (a *actor) Reconcile(ctx context.Context, _ lifecycle.Sandbox, _ *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	return a.see, a.act(ctx, lifecycle.Reconcile, nil)
}

// stage is a chain of actors, in declared order, around the gateway of noop_test.go.
type stage struct {
	*lifecycle.Chain
	*notes
	driver  lifecycle.Driver
	gateway *noting
	store   *lifecycle.Store
	actors  map[string]*actor
}

// noting is a gateway that writes down what it is asked.
type noting struct {
	gateway
	notes *notes
	asked lifecycle.Request
}

func (g *noting) CreateSandbox(ctx context.Context, r lifecycle.Request) (lifecycle.Record, error) {
	g.notes.add("gateway create")
	g.asked = r
	return g.gateway.CreateSandbox(ctx, r)
}

func (g *noting) DeleteSandbox(ctx context.Context, r lifecycle.Reference) error {
	g.notes.add("gateway delete")
	return g.gateway.DeleteSandbox(ctx, r)
}

// play makes the stage; tables is TOML below [compute].
func play(t *testing.T, path string, declared []string, tables string) *stage {
	t.Helper()
	s := &stage{notes: &notes{}, actors: map[string]*actor{}}
	s.gateway = &noting{notes: s.notes}
	var definitions []lifecycle.Definition
	for _, name := range []string{"a", "b", "c"} {
		s.actors[name] = &actor{name: name, notes: s.notes, on: map[lifecycle.Phase]func(context.Context, *lifecycle.Builder) error{}}
		definitions = append(definitions, lifecycle.Define(name, name, []uint32{1}, func(struct{}) (lifecycle.Extension, error) { return s.actors[name], nil }))
	}
	registry, err := lifecycle.NewRegistry(definitions...)
	if err != nil {
		t.Fatal(err)
	}
	links, err := lifecycle.Configure(registry, lifecycle.Source{Data: []byte(tables), Override: strings.Join(declared, ","), Overridden: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.store, err = lifecycle.OpenStore(path, time.Second); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	if s.Chain, err = lifecycle.NewChain(lifecycle.Options{Links: links, Store: s.store}); err != nil {
		t.Fatal(err)
	}
	s.driver = s.Wrap(s.gateway)
	return s
}

func (s *stage) fail(name string, phase lifecycle.Phase) {
	s.actors[name].on[phase] = func(context.Context, *lifecycle.Builder) error { return errRefused }
}

func (s *stage) create(t *testing.T) error {
	t.Helper()
	_, err := s.driver.CreateSandbox(t.Context(), lifecycle.Request{Name: "alpha", Gateway: "gw", Labels: map[string]string{"tier": "gold"}})
	return err
}

func (s *stage) remove(t *testing.T) error {
	t.Helper()
	return s.driver.DeleteSandbox(t.Context(), lifecycle.Reference{Name: "alpha", Gateway: "gw"})
}

func (s *stage) wrote(t *testing.T, want ...string) {
	t.Helper()
	if got := s.take(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func (s *stage) keeps(t *testing.T, want ...string) {
	t.Helper()
	states, err := s.store.States()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, state := range states {
		got = append(got, state.Extension)
	}
	if !slices.Equal(got, want) {
		t.Errorf("states of %q, want %q", got, want)
	}
}

var declared = []string{"b", "a", "c"}

func file(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state.db")
}

func TestOrderIsAsDeclaredThenReverse(t *testing.T) {
	s := play(t, file(t), declared, "")
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	s.wrote(t, "b before_create", "a before_create", "c before_create", "gateway create",
		"c after_create_success", "a after_create_success", "b after_create_success")
	s.keeps(t, "a", "b", "c")
	if err := s.remove(t); err != nil {
		t.Fatal(err)
	}
	s.wrote(t, "c before_delete", "a before_delete", "b before_delete", "gateway delete",
		"c after_delete", "a after_delete", "b after_delete")
	s.keeps(t)
}

func TestARefusingGatewayRollsBackInReverse(t *testing.T) {
	s := play(t, file(t), declared, "")
	s.gateway.refuses = errRefused
	if err := s.create(t); !errors.Is(err, errRefused) {
		t.Errorf("error %v", err)
	}
	s.wrote(t, "b before_create", "a before_create", "c before_create", "gateway create",
		"c after_create_failed", "a after_create_failed", "b after_create_failed")
	s.keeps(t)
}

func TestAPartialChainRollsBackWhatRan(t *testing.T) {
	s := play(t, file(t), declared, "")
	s.fail("a", lifecycle.BeforeCreate)
	err := s.create(t)
	if failed, ok := errors.AsType[*lifecycle.PhaseError](err); !ok || failed.Extension != "a" || failed.Phase != lifecycle.BeforeCreate {
		t.Errorf("error %v", err)
	}
	s.wrote(t, "b before_create", "a before_create", "b after_create_failed")
	s.keeps(t)
}

func TestStateStaysUntilAfterDeleteSucceeded(t *testing.T) {
	path := file(t)
	s := play(t, path, declared, "")
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	s.fail("a", lifecycle.AfterDelete)
	if _, ok := errors.AsType[*lifecycle.ReleaseError](s.remove(t)); !ok {
		t.Error("no ReleaseError")
	}
	s.keeps(t, "a")
	_ = s.store.Close()
	again := play(t, path, declared, "") // as after a restart
	if _, err := again.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": again.gateway}); err != nil {
		t.Fatal(err)
	}
	again.wrote(t, "a after_delete")
	again.keeps(t)
}

func TestAFailedBeforeDeleteKeepsTheSandbox(t *testing.T) {
	s := play(t, file(t), declared, "")
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	s.take()
	s.fail("a", lifecycle.BeforeDelete)
	if err := s.remove(t); !errors.Is(err, errRefused) {
		t.Errorf("error %v", err)
	}
	s.wrote(t, "c before_delete", "a before_delete")
	s.keeps(t, "a", "b", "c")
}

func TestADeadlineIsOfThePhaseAndConfigured(t *testing.T) {
	for table, want := range map[string]time.Duration{
		"": 30 * time.Second,
		"[compute.extension.a]\ntimeout = \"45s\"": 45 * time.Second,
	} {
		path := file(t)
		synctest.Test(t, func(t *testing.T) {
			s := play(t, path, declared, table)
			s.actors["a"].on[lifecycle.BeforeCreate] = func(ctx context.Context, _ *lifecycle.Builder) error {
				<-ctx.Done()
				return ctx.Err()
			}
			began := time.Now()
			if err := s.create(t); !errors.Is(err, lifecycle.ErrTimeout) || time.Since(began) != want {
				t.Errorf("after %s, want %s: %v", time.Since(began), want, err)
			}
			s.wrote(t, "b before_create", "a before_create", "a after_create_failed", "b after_create_failed")
		})
	}
}

func TestAPanicIsAnErrorOfItsPhase(t *testing.T) {
	s := play(t, file(t), declared, "")
	s.actors["c"].on[lifecycle.BeforeCreate] = func(context.Context, *lifecycle.Builder) error { panic("lost") }
	if err := s.create(t); !errors.Is(err, lifecycle.ErrPanic) || !strings.Contains(err.Error(), "lost") {
		t.Errorf("error %v", err)
	}
	s.wrote(t, "b before_create", "a before_create", "c before_create", "c after_create_failed", "a after_create_failed", "b after_create_failed")
}

func TestReconcileAsksForEachStateAndIsAdvisory(t *testing.T) {
	s := play(t, file(t), declared, "")
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	s.take()
	other, _ := lifecycle.NewState(1, "other")
	s.actors["a"].see = lifecycle.ReconcileOutcome{Drift: []string{"it differs"}, State: other}
	reports, err := s.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": s.gateway})
	if err != nil || len(reports) != 3 || !reflect.DeepEqual(reports[0].Drift, []string{"it differs"}) {
		t.Errorf("reports %+v, %v", reports, err)
	}
	asked := s.take()
	slices.Sort(asked)
	if want := []string{"a reconcile", "b reconcile", "c reconcile"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	if shown, err := s.store.State("alpha", "a"); err != nil || string(shown.JSON) != `"a"` {
		t.Errorf("an advisory outcome changed the state: %+v, %v", shown, err)
	}
	s.actors["a"].see.Authority = lifecycle.Authoritative
	if _, err := s.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": s.gateway}); err != nil {
		t.Fatal(err)
	}
	if shown, err := s.store.State("alpha", "a"); err != nil || string(shown.JSON) != `"other"` {
		t.Errorf("an authoritative outcome was not stored: %+v, %v", shown, err)
	}
}

func TestReconcileReportsTheStateOfWhatIsNotActive(t *testing.T) {
	path := file(t)
	s := play(t, path, declared, "")
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	_ = s.store.Close()
	without := play(t, path, []string{"b"}, "")
	without.gateway.records = s.gateway.records
	reports, err := without.Reconcile(t.Context(), map[string]lifecycle.Driver{"gw": without.gateway})
	if err != nil || len(reports) != 3 || !strings.Contains(strings.Join(reports[0].Drift, ""), "not active") {
		t.Errorf("reports %+v, %v", reports, err)
	}
	without.wrote(t, "b reconcile")
	without.keeps(t, "a", "b", "c")
}

func TestTablesAreCheckedWithTheirLine(t *testing.T) {
	for table, want := range map[string]string{
		"[compute]\nextensions = [\"nope\"]":                                            `config.toml:2: extension "nope" is not linked`,
		"[compute]\nextensions = [\"noop\"]\n[compute.extension.noop]\ngreting = \"x\"": `config.toml:4: extension "noop" has no key "greting"`,
		"[compute]\n[compute.extension.noop]\ntimeout = \"soon\"":                       `config.toml:3: timeout must be`,
	} {
		registry, err := lifecycle.NewRegistry(Definition())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lifecycle.Configure(registry, lifecycle.Source{File: "config.toml", Data: []byte(table)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestTheBuilderAddsAndNeverReplaces(t *testing.T) {
	s := play(t, file(t), declared, "")
	s.actors["b"].on[lifecycle.BeforeCreate] = func(_ context.Context, add *lifecycle.Builder) error {
		return errors.Join(add.AddLabel("fleet", "prod"), add.AddEnv("LEASE", "1"), add.AddAnnotation("note", "x"),
			add.AddMount(lifecycle.Mount{Source: "/srv/lease", Target: "/lease", ReadOnly: true}))
	}
	var refusals []error
	s.actors["a"].on[lifecycle.BeforeCreate] = func(_ context.Context, add *lifecycle.Builder) error {
		refusals = []error{
			add.AddLabel("tier", "silver"), add.AddLabel("fleet", "test"), add.AddEnv("LEASE", "2"), add.AddAnnotation("note", "y"),
			add.AddMount(lifecycle.Mount{Source: "/srv/other", Target: "/lease"}), add.AddLabel("openshell.ai/sandbox-id", "x"),
			add.AddEnv("OPENSHELL_SANDBOX_ID", "x"), add.AddMount(lifecycle.Mount{Source: "/srv", Target: "/sandbox"}),
		}
		return nil
	}
	if err := s.create(t); err != nil {
		t.Fatal(err)
	}
	for i, err := range refusals {
		if !errors.Is(err, lifecycle.ErrRefusedAddition) {
			t.Errorf("addition %d: %v", i, err)
		}
	}
	got := s.gateway.asked
	if got.Labels["fleet"] != "prod" || got.Labels["tier"] != "gold" || got.Env["LEASE"] != "1" || got.Annotations["note"] != "x" || len(got.Mounts) != 1 {
		t.Errorf("asked for %+v", got)
	}
}
