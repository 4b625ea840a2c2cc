package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a phase that takes d, unless it heeds its cancellation.
func slow(d time.Duration, heeds bool, result *State) func(context.Context, Sandbox, *Builder) (*State, error) {
	return func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		stop := ctx.Done()
		if !heeds {
			stop = nil
		}
		select {
		case <-time.After(d):
			return result, nil
		case <-stop:
			return nil, ctx.Err()
		}
	}
}

func TestTimeoutPropagation(t *testing.T) {
	cases := map[string]struct {
		takes     time.Duration
		heeds     bool
		limit     time.Duration
		want      time.Duration
		left      string // the state that came late
		abandoned bool
		ok        bool
	}{
		"within the default of 30 s":             {takes: 29 * time.Second, want: 29 * time.Second, ok: true},
		"past the default, heeds":                {takes: time.Hour, heeds: true, want: 30 * time.Second},
		"past its own limit, heeds":              {takes: time.Hour, heeds: true, limit: time.Minute, want: time.Minute},
		"ignores its cancellation, comes back":   {takes: 30*time.Second + time.Second/2, want: 30*time.Second + time.Second/2, left: "b"},
		"ignores its cancellation, is abandoned": {takes: time.Hour, want: 31 * time.Second, abandoned: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, "a", "b")
				b.links[1].Timeout = c.limit
				b.ext["b"].on[BeforeCreate] = slow(c.takes, c.heeds, nil)
				start := time.Now()
				_, err := b.create(t, "alpha")
				same(t, "took", time.Since(start), c.want)
				if c.ok {
					same(t, "error", err, nil)
					return
				}
				failed, ok := errors.AsType[*PhaseError](err)
				if !ok || !errors.Is(err, ErrTimeout) || failed.Extension != "b" {
					t.Fatalf("error %v is not a timeout of b", err)
				}
				same(t, "abandoned", failed.Abandoned, c.abandoned)
				same(t, "rolled back, the one cut off too", b.log.take()[2:], []string{"b after_create_failed " + cmp.Or(c.left, "-"), "a after_create_failed a"})
				same(t, "stored", b.stored(t), []string{})
				checkLeaks(t, b, c.abandoned)
			})
		})
	}
}

func checkLeaks(t *testing.T, b *bench, abandoned bool) {
	t.Helper()
	want := map[string]int{}
	if abandoned {
		want["b"] = 1
	}
	same(t, "left running", b.Abandoned(), want)
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	same(t, "left running when it has come back", b.Abandoned(), map[string]int{})
}

func TestLateStateReachesTheRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "a")
		b.ext["a"].on[BeforeCreate] = slow(30*time.Second+time.Second/2, false, textState("lease 7"))
		if _, err := b.create(t, "alpha"); !errors.Is(err, ErrTimeout) {
			t.Fatal(err)
		}
		same(t, "log", b.log.take(), []string{"a before_create -", "a after_create_failed lease 7"})
	})
}

func TestCancellationRollsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "a", "b")
		b.ext["b"].on[BeforeCreate] = slow(time.Hour, true, nil)
		b.ext["a"].on[AfterCreateFailed] = slow(10*time.Second, true, nil)
		interrupted := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(interrupted) })
		start := time.Now()
		_, err := b.driver.CreateSandbox(ctx, Request{Name: "alpha", Gateway: "gw"})
		if !errors.Is(err, interrupted) || errors.Is(err, ErrTimeout) {
			t.Errorf("error %v, want the cause of the cancellation", err)
		}
		same(t, "the rollback outlives the cancellation", time.Since(start), 15*time.Second)
		same(t, "stored", b.stored(t), []string{})
	})
}

func TestAbandonedPhaseCannotAddLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "a")
		late := make(chan error, 1)
		b.ext["a"].on[BeforeCreate] = func(_ context.Context, _ Sandbox, add *Builder) (*State, error) {
			time.Sleep(time.Hour)
			late <- add.AddLabel("k", "v")
			return nil, nil
		}
		_, _ = b.create(t, "alpha")
		if err := <-late; err == nil {
			t.Error("an addition after the end of the phase was accepted")
		}
		synctest.Wait()
	})
}
