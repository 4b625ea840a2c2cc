package lifecycle

import (
	"context"
	"errors"
	"testing"
)

// interrupting is a driver during whose work somebody presses Ctrl-C.
type interrupting struct {
	*memory
	cancel context.CancelFunc
}

func (i interrupting) CreateSandbox(ctx context.Context, r Request) (Record, error) {
	i.cancel()
	return i.memory.CreateSandbox(ctx, r)
}

func (i interrupting) DeleteSandbox(ctx context.Context, r Reference) error {
	i.cancel()
	return i.memory.DeleteSandbox(ctx, r)
}

// What has to follow a creation that failed, and a deletion that was made, is not cut off by the Ctrl-C that came meanwhile.
func TestInterruptedAtTheDriver(t *testing.T) {
	for phase, failure := range map[Phase]error{AfterCreateFailed: errors.New("refused"), AfterDelete: nil} {
		b := newBench(t, "a")
		if phase == AfterDelete {
			b.mustCreate(t, "alpha")
		}
		ran := false
		b.ext["a"].on[phase] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
			ran = ctx.Err() == nil
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		d := b.Wrap(interrupting{b.memory, cancel})
		var err error
		if b.memory.createErr = failure; phase == AfterDelete {
			err = d.DeleteSandbox(ctx, Reference{ID: "id-alpha", Name: "alpha", Gateway: "gw"})
		} else {
			_, err = d.CreateSandbox(ctx, Request{Name: "alpha", Gateway: "gw"})
		}
		if !errors.Is(err, failure) || !ran {
			t.Errorf("%s: ran in time %v: %v", phase, ran, err)
		}
		same(t, "stored after "+string(phase), b.stored(t), []string{})
	}
}
