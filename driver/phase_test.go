package driver

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/test/e2e/gateway"
)

// TestPhasesLeadWhereTheGatewayLetsThem: a stop leads from Ready to Stopped, a start back; from Error neither leads anywhere.
func TestPhasesLeadWhereTheGatewayLetsThem(t *testing.T) {
	for _, c := range []struct {
		from        gateway.Phase
		stop, start error
		after       [2]gateway.Phase // the stop, the start
	}{
		{gateway.Ready, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Stopped, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Stopping, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}}, // nobody carries the stop out any more
		{gateway.Starting, nil, nil, [2]gateway.Phase{gateway.Stopped, gateway.Ready}},
		{gateway.Failed, openshell.ErrPhase, openshell.ErrPhase, [2]gateway.Phase{gateway.Failed, gateway.Failed}},
		{gateway.Deleting, openshell.ErrPhase, openshell.ErrPhase, [2]gateway.Phase{gateway.Deleting, gateway.Deleting}},
	} {
		b := oneSandbox(nil)
		d := open(t, "0.0.110", b)
		for i, ask := range []struct {
			do   func() error
			want error
		}{
			{func() error { return d.StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}) }, c.stop},
			{func() error { return d.StartSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}) }, c.start},
		} {
			if _, err := b.SetPhase(t.Context(), "alpha", c.from); err != nil {
				t.Fatal(err)
			}
			if err := ask.do(); !errors.Is(err, ask.want) {
				t.Errorf("from %s: %v, want %v", c.from, err, ask.want)
			}
			if now, _ := b.Memory.List(t.Context()); now[0].Phase != c.after[i] {
				t.Errorf("from %s it became %s, want %s", c.from, now[0].Phase, c.after[i])
			}
		}
	}
}

// TestPhasesOfOthersAreLeftAlone: a sandbox of the same name with another id is not the one that is meant, and an old gateway stops none.
func TestPhasesOfOthersAreLeftAlone(t *testing.T) {
	b := oneSandbox(nil)
	if err := open(t, "0.0.110", b).StopSandbox(t.Context(), lifecycle.Reference{ID: "id-b", Name: "alpha"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another id: %v", err)
	}
	if err := open(t, "0.0.104", b).StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); !errors.Is(err, openshell.ErrUnsupported) {
		t.Errorf("0.0.104: %v", err)
	}
	// One whose container has ended may still be called Ready there: that is no start.
	if err := open(t, "0.0.104", b).StartSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); !errors.Is(err, openshell.ErrUnsupported) {
		t.Errorf("0.0.104, start: %v", err)
	}
	if now, _ := b.Memory.List(t.Context()); now[0].Phase != gateway.Ready {
		t.Errorf("it became %s", now[0].Phase)
	}
}

// thawed is a gateway that calls its sandbox paused for some looks after the pause has ended.
type thawed struct {
	*moody
	looks atomic.Int32
}

func (b *thawed) List(ctx context.Context) ([]gateway.Sandbox, error) {
	all, err := b.moody.List(ctx)
	if b.looks.Add(-1) >= 0 {
		for i := range all {
			all[i].Phase, all[i].Reason = gateway.Failed, "ContainerPaused"
		}
	}
	return all, err
}

// TestAStopAwaitsTheLookAfterAPause: a backup has just thawed the sandbox, and the gateway that has not looked since must not
// leave its stop to the engine, which would leave it in Error for good.
func TestAStopAwaitsTheLookAfterAPause(t *testing.T) {
	b := &thawed{moody: oneSandbox(nil)}
	d := open(t, "0.0.110", b)
	b.looks.Store(2)
	if err := d.StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"}); err != nil {
		t.Error(err)
	}
	if now, _ := b.Memory.List(t.Context()); now[0].Phase != gateway.Stopped {
		t.Errorf("it became %s", now[0].Phase)
	}
}

// cut is a gateway that goes away, once, in the middle of what it is asked: before it has noted the phase, or after.
type cut struct {
	*moody
	noted bool
	calls atomic.Int32
}

func (b *cut) SetPhase(ctx context.Context, name string, p gateway.Phase) (gateway.Sandbox, error) {
	if b.calls.Add(1) > 1 {
		return b.moody.SetPhase(ctx, name, p)
	}
	if b.noted {
		p = map[gateway.Phase]gateway.Phase{gateway.Stopped: gateway.Stopping, gateway.Ready: gateway.Starting}[p]
		if _, err := b.moody.SetPhase(ctx, name, p); err != nil {
			return gateway.Sandbox{}, err
		}
	}
	return gateway.Sandbox{}, status.Error(codes.Unavailable, "error reading from server: EOF")
}

// TestACallThatIsCutIsLookedInto: a gateway is restarted in the middle of a stop or a start. It is asked again, and nobody calls that a failure.
func TestACallThatIsCutIsLookedInto(t *testing.T) {
	for _, noted := range []bool{false, true} {
		for _, c := range []struct {
			from, want gateway.Phase
			do         func(*API) error
		}{
			{gateway.Ready, gateway.Stopped, func(d *API) error {
				return d.StopSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"})
			}},
			{gateway.Stopped, gateway.Ready, func(d *API) error {
				return d.StartSandbox(t.Context(), lifecycle.Reference{ID: "id-a", Name: "alpha"})
			}},
		} {
			b := &cut{moody: oneSandbox(nil), noted: noted}
			if _, err := b.Memory.SetPhase(t.Context(), "alpha", c.from); err != nil {
				t.Fatal(err)
			}
			if err := c.do(open(t, "0.0.110", b)); err != nil {
				t.Errorf("from %s, noted %v: %v", c.from, noted, err)
			}
			if now, _ := b.Memory.List(t.Context()); now[0].Phase != c.want {
				t.Errorf("from %s, noted %v: it became %s, want %s", c.from, noted, now[0].Phase, c.want)
			}
		}
	}
}
