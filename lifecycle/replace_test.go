package lifecycle

import (
	"context"
	"errors"
	"testing"
)

// somebody replaces a sandbox in the gateway without a driver, as NemoClaw does.
func (b *bench) somebody(made string) func(context.Context) (Aftermath, error) {
	return func(context.Context) (Aftermath, error) {
		b.log.add("somebody works")
		b.memory.mu.Lock()
		defer b.memory.mu.Unlock()
		delete(b.memory.sandboxes, "id-alpha")
		if made == "" {
			return Aftermath{Old: Missing}, errDenied
		}
		record := Record{ID: made, Name: "alpha", Gateway: "gw"}
		b.memory.sandboxes[made] = record
		return Aftermath{Old: Missing, New: record}, nil
	}
}

// replaceable is a chain that has created the sandbox alpha.
func replaceable(t *testing.T, names ...string) *bench {
	t.Helper()
	b := newBench(t, names...)
	b.mustCreate(t, "alpha")
	b.log.take()
	b.sink.events = nil
	return b
}

var (
	alpha      = Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"}
	alphaAgain = Request{Name: "alpha", Gateway: "gw"}
)

func TestAReplacementBySomebodyElseIsADeleteAndACreate(t *testing.T) {
	b := replaceable(t, "a", "b")
	problems, err := b.Replace(t.Context(), alpha, alphaAgain, b.somebody("new"))
	if err != nil || len(problems) != 0 {
		t.Fatal(problems, err)
	}
	same(t, "log", b.log.take(), []string{
		"a before_create -", "b before_create -", "b before_delete b", "a before_delete a", "somebody works",
		"b after_delete b", "a after_delete a", "b after_create_success b", "a after_create_success a",
	})
	same(t, "stored", b.stored(t), []string{"new ready a=a b=b"})
	for _, e := range b.sink.events {
		same(t, "correlation of "+e.Message, e.Correlation, b.sink.events[0].Correlation)
	}
}

func TestAnAdditionThatNobodyWouldApplyStopsAReplacementByName(t *testing.T) {
	for name, try := range map[string]func(*bench) error{
		"Replace": func(b *bench) error {
			_, err := b.Replace(t.Context(), alpha, alphaAgain, b.somebody("new"))
			return err
		},
		"Foresee": func(b *bench) error { return b.Foresee(t.Context(), alphaAgain) },
	} {
		b := replaceable(t, "a", "b")
		b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
			return textState("a"), add.AddLabel("fleet", "prod")
		}
		err := try(b)
		if !errors.Is(err, ErrNotApplied) || err.Error() != `extension "a" adds label "fleet" to sandbox "alpha", which is created by somebody else: it would not be applied` {
			t.Errorf("%s: %v", name, err)
		}
		same(t, name, b.log.take(), []string{"a before_create -", "b before_create -", "b after_create_failed b", "a after_create_failed a"})
		same(t, "stored", b.stored(t), []string{"id-alpha ready a=a b=b"})
	}
}

func TestForeseeingLeavesNothing(t *testing.T) {
	b := replaceable(t, "a")
	if err := b.Foresee(t.Context(), alphaAgain); err != nil {
		t.Fatal(err)
	}
	same(t, "log", b.log.take(), []string{"a before_create -", "a after_create_failed a"})
	same(t, "stored", b.stored(t), []string{"id-alpha ready a=a"})
}

func TestAReplacementThatIsRefusedOrFailsIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		refuse Phase
		work   func(*bench) func(context.Context) (Aftermath, error)
		stored []string
	}{
		"before_create refuses": {refuse: BeforeCreate, stored: []string{"id-alpha ready a=a"}},
		"before_delete refuses": {refuse: BeforeDelete, stored: []string{"id-alpha ready a=a"}},
		"the old one is there still": {stored: []string{"id-alpha ready a=a"}, work: func(*bench) func(context.Context) (Aftermath, error) {
			return func(context.Context) (Aftermath, error) { return Aftermath{Old: Listed}, errDenied }
		}},
		"there is none": {stored: []string{}, work: func(b *bench) func(context.Context) (Aftermath, error) { return b.somebody("") }},
	} {
		b := replaceable(t, "a")
		work := b.somebody("new")
		if c.work != nil {
			work = c.work(b)
		} else {
			b.fail("a", c.refuse, errDenied)
		}
		if problems, err := b.Replace(t.Context(), alpha, alphaAgain, work); !errors.Is(err, errDenied) || len(problems) != 0 {
			t.Errorf("%s: %v, %v", name, problems, err)
		}
		same(t, name, b.stored(t), c.stored)
	}
}

func TestWhatFailsAfterAReplacementIsAProblemAndStaysOwed(t *testing.T) {
	b := replaceable(t, "a")
	b.fail("a", AfterDelete, errDenied)
	problems, err := b.Replace(t.Context(), alpha, alphaAgain, b.somebody("new"))
	if err != nil || len(problems) != 1 || !errors.Is(problems[0], errDenied) {
		t.Errorf("%v, %v", problems, err)
	}
	same(t, "stored", b.stored(t), []string{"id-alpha deleted a=a", "new ready a=a"})
}

// A process that died during the replacement, or could not look afterwards, leaves intents that the next one ends by looking.
func TestAnInterruptedReplacementIsFinishedByLooking(t *testing.T) {
	for name, c := range map[string]struct {
		made  string
		want  []string
		known bool
	}{
		"the new one is there": {made: "new", want: []string{"new ready a=a"}, known: true},
		"there is none":        {want: []string{}},
	} {
		b := replaceable(t, "a")
		_, _ = b.Replace(t.Context(), alpha, alphaAgain, func(ctx context.Context) (Aftermath, error) {
			_, _ = b.somebody(c.made)(ctx)
			return Aftermath{}, errDenied
		})
		b.open(t, "a")
		b.reconcile(t)
		same(t, name, b.stored(t), c.want)
		known, err := b.Knows("new")
		same(t, "knows it", known, c.known)
		same(t, "error", err, nil)
	}
}

func TestAReplacementWithoutExtensionsReleasesWhatOthersLeft(t *testing.T) {
	b := replaceable(t, "a")
	b.open(t)
	problems, err := b.Replace(t.Context(), alpha, alphaAgain, b.somebody("new"))
	if err != nil || len(problems) != 1 { // a still holds something, and is not active
		t.Errorf("%v, %v", problems, err)
	}
	same(t, "log", b.log.take(), []string{"somebody works"})
	same(t, "stored", b.stored(t), []string{"id-alpha deleted a=a"})
}
