package restore

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
)

// interrupted is an engine in memory at whose at-th call somebody presses Ctrl-C. A request that dies of that may come about all the same,
// late.
type interrupted struct {
	*backuptest.FakeEngine
	at, calls int
	cancel    func()
	late      bool // a stop that nobody waits for any more
}

func (i *interrupted) call(ctx context.Context) error {
	if i.calls++; i.calls == i.at {
		i.cancel()
	}
	return context.Cause(ctx)
}

func (i *interrupted) Stop(ctx context.Context, id string) error {
	if err := i.call(ctx); err != nil {
		i.late = true
		return err
	}
	return i.FakeEngine.Stop(ctx, id)
}

func (i *interrupted) Start(ctx context.Context, id string) error {
	if err := i.call(ctx); err != nil {
		return err
	}
	err := i.FakeEngine.Start(ctx, id)
	if i.late {
		i.State[id] = "exited"
	}
	return err
}

func (i *interrupted) Read(ctx context.Context, id, name string) (io.ReadCloser, error) {
	if err := i.call(ctx); err != nil {
		return nil, err
	}
	return i.FakeEngine.Read(ctx, id, name)
}

func (i *interrupted) Write(ctx context.Context, id, dir string, stream io.Reader) error {
	return errors.Join(i.FakeEngine.Write(ctx, id, dir, stream), i.call(ctx))
}

// Ctrl-C at each call to the engine in turn: the home is the old one or the new one, whole, and the container runs as it did.
func TestInterruptedAtEveryCall(t *testing.T) {
	for at := 1; ; at++ {
		f, request := savedFake(t, "running")
		ctx, cancel := context.WithCancel(t.Context())
		i := &interrupted{FakeEngine: f, at: at, cancel: cancel}
		request.containers, request.Journal = i, t.TempDir()
		_, err := Restore(ctx, request)
		want := thenHome
		if err != nil {
			want = nowHome
		}
		if diff := cmp.Diff(want, f.Home(backuptest.IdA)); diff != "" {
			t.Errorf("at call %d: %v, home (-want +got):\n%s", at, err, diff)
		}
		if f.State[backuptest.IdA] != "running" {
			t.Errorf("at call %d: the container is %q: %v", at, f.State[backuptest.IdA], err)
		}
		assertNoCopies(t, request.Store)
		cancel()
		if i.calls < at {
			if at < 6 {
				t.Errorf("only %d calls were made", i.calls)
			}
			return
		}
	}
}

// unreadable is an engine that cannot read a container once that is stopped, as one whose home is a volume.
type unreadable struct{ *backuptest.FakeEngine }

func (unreadable) ReadableStopped(context.Context, engine.Container, string) error {
	return errors.New("a stopped container's volume cannot be read")
}

func TestWhatCannotBeKeptIsNotReplaced(t *testing.T) {
	f, request := savedFake(t, "running")
	request.containers = unreadable{f}
	_, err := Restore(t.Context(), request)
	if err == nil || !strings.Contains(err.Error(), "could not be kept before it is replaced") || len(f.Calls) > 0 || f.Writes > 0 {
		t.Errorf("%v, calls %q, %d writes", err, f.Calls, f.Writes)
	}
}
