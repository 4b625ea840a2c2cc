package lifecycle

import (
	"context"
	"testing"
)

func TestSpansReachTheExtensionAndBack(t *testing.T) {
	var finished []FinishedSpan
	root := StartTrace("upgrade", func(s FinishedSpan) { finished = append(finished, s) })
	b := newBench(t, "a")
	b.ext["a"].on[BeforeCreate] = func(ctx context.Context, _ Sandbox, _ *Builder) (*State, error) {
		inner := SpanFrom(ctx).Child("lease")
		inner.Set("ip", "10.0.0.7")
		inner.End(nil)
		SpanFrom(ctx).Set("own", "yes")
		return nil, errDenied
	}
	if _, err := b.driver.CreateSandbox(WithSpan(t.Context(), root), Request{ID: "id-1", Name: "alpha"}); err == nil {
		t.Fatal("no error")
	}
	root.End(nil)
	root.End(errDenied)
	names := []string{}
	for _, s := range finished {
		names = append(names, s.Name)
		same(t, "trace", s.TraceID, root.TraceID())
	}
	same(t, "spans", names, []string{"lease", "before_create a", "upgrade"})
	same(t, "parent of the inner", finished[0].ParentID, finished[1].SpanID)
	same(t, "parent of the phase", finished[1].ParentID, finished[2].SpanID)
	same(t, "attributes", finished[1].Attributes, map[string]string{"extension": "a", "sandbox": "id-1", "own": "yes"})
	same(t, "error", finished[2].Error, "")
	if finished[1].Error == "" {
		t.Error("the failed phase has a span without error")
	}
	for _, e := range b.sink.events {
		same(t, "trace of the event", e.TraceID, root.TraceID())
	}
}

func TestNoSpanIsASilentOne(t *testing.T) {
	span := SpanFrom(context.Background())
	span.Child("x").Set("k", "v")
	span.End(nil)
	same(t, "trace", span.TraceID(), "")
}
