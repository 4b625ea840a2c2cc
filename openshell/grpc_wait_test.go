package openshell

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/test/e2e/gateway"
)

func TestWaitUntilGone(t *testing.T) {
	backend := twoSandboxes()
	var gets atomic.Int32
	api := connect(t, serve(t, &gateway.Server{Version: "0.1.0", Backend: backend, Calls: func(method string) {
		if method == service+"GetSandbox" && gets.Add(1) == 3 {
			_, _ = backend.Delete(context.Background(), "alpha")
		}
	}}, nil))
	last, err := api.Wait(t.Context(), "alpha", func(s *RawSandbox) (bool, error) { return s == nil, nil })
	if err != nil || last != nil || gets.Load() != 3 {
		t.Errorf("after %d looks: %+v, %v", gets.Load(), last, err)
	}
}

// A gateway that restarts is waited for; one that refuses is not.
func TestWaitOutlastsSilenceOnly(t *testing.T) {
	var looks atomic.Int32
	answer := func(context.Context, []byte) ([]byte, error) {
		if looks.Add(1) < 4 {
			return nil, status.Error(codes.Unavailable, "connection refused")
		}
		return []byte("\x0a\x0e\x0a\x0c\x0a\x03id1\x12\x05alpha"), nil
	}
	api := connect(t, fake{"Health": healthy("0.0.110"), "GetSandbox": answer}.serve(t, nil))
	last, err := api.Wait(t.Context(), "alpha", func(s *RawSandbox) (bool, error) { return s != nil, nil })
	if err != nil || last == nil || looks.Load() != 4 {
		t.Errorf("after %d looks: %+v, %v", looks.Load(), last, err)
	}
	api = connect(t, fake{"Health": healthy("0.0.110"), "GetSandbox": refusing(codes.PermissionDenied, "no")}.serve(t, nil))
	_, err = api.Wait(t.Context(), "alpha", func(*RawSandbox) (bool, error) { return false, nil })
	if refused, ok := errors.AsType[*CallError](err); !ok || refused.Code != "PermissionDenied" {
		t.Errorf("a refusal: %v", err)
	}
}

func TestWaitEnds(t *testing.T) {
	api := connect(t, serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, nil))
	enough := errors.New("enough")
	_, err := api.Wait(t.Context(), "alpha", func(*RawSandbox) (bool, error) { return false, enough })
	if !errors.Is(err, enough) {
		t.Errorf("the caller's own error: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	last, err := api.Wait(ctx, "alpha", func(*RawSandbox) (bool, error) { cancel(enough); return false, nil })
	if last == nil || last.Phase != "Ready" || err == nil {
		t.Errorf("the last sight: %+v, %v", last, err)
	}
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Backoff{Least: time.Second, Most: 5 * time.Second}
		took := func(failed bool) time.Duration {
			began := time.Now()
			if !b.Sleep(t.Context(), failed) {
				t.Fatal("it did not sleep")
			}
			return time.Since(began)
		}
		var got []time.Duration
		for _, failed := range []bool{false, true, true, true, true, false, true} {
			got = append(got, took(failed)/time.Second)
		}
		if want := []time.Duration{1, 2, 4, 5, 5, 1, 2}; !slices.Equal(got, want) {
			t.Errorf("pauses of %d seconds, want %d", got, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.Sleep(ctx, false) {
			t.Error("it slept for a caller that gave up")
		}
	})
}
