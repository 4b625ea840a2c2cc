package driver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/lifecycle"
	"sandkeeper/test/e2e/gateway"
)

var alpha = lifecycle.Reference{ID: "id-a", Name: "alpha", Gateway: "gw"}

// left are the names that the gateway still has.
func left(t *testing.T, b gateway.Backend) []string {
	t.Helper()
	all, err := b.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

func TestDeleteOfWhatIsGone(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.52", "0.0.116", "0.1.0"} {
		for name, reference := range map[string]lifecycle.Reference{
			"no such name":            {ID: "id-z", Name: "zulu"},
			"the name has another id": {ID: "id-old", Name: "alpha"},
			"no such id":              {ID: "id-z"},
		} {
			b := oneSandbox(nil)
			if err := open(t, version, b).DeleteSandbox(t.Context(), reference); err != nil || !slices.Equal(left(t, b), []string{"alpha"}) {
				t.Errorf("%s, %s: %v, left %q", version, name, err, left(t, b))
			}
		}
		for name, reference := range map[string]lifecycle.Reference{"by id": {ID: "id-a"}, "by name": {Name: "alpha"}, "by both": alpha} {
			b := oneSandbox(nil)
			if err := open(t, version, b).DeleteSandbox(t.Context(), reference); err != nil || len(left(t, b)) > 0 {
				t.Errorf("%s, %s: %v, left %q", version, name, err, left(t, b))
			}
		}
	}
	if err := open(t, "0.1.0", oneSandbox(nil)).DeleteSandbox(t.Context(), lifecycle.Reference{}); err == nil {
		t.Error("nobody in particular was deleted")
	}
}

// What counts is that the sandbox is gone, not what was answered.
func TestDeleteIsJudgedByLooking(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.116", "0.1.0"} {
		b := oneSandbox(nil)
		forget := func(answer bool, err error) func(string) (bool, error) {
			return func(name string) (bool, error) {
				_, _ = b.Memory.Delete(context.Background(), name)
				return answer, err
			}
		}
		for name, remove := range map[string]func(string) (bool, error){
			"the record was there, the container not": forget(false, nil),
			"the answer was lost":                     forget(false, status.Error(codes.Unavailable, "connection reset")),
			"somebody was faster":                     forget(false, status.Error(codes.NotFound, "sandbox not found")),
			"the answer was lost and it takes a while": func(name string) (bool, error) {
				_, _ = b.SetPhase(context.Background(), name, gateway.Deleting)
				time.AfterFunc(30*time.Millisecond, func() { _, _ = b.Memory.Delete(context.Background(), name) })
				return false, status.Error(codes.Internal, "stream was reset")
			},
			"it takes a while": func(name string) (bool, error) {
				_, err := b.SetPhase(context.Background(), name, gateway.Deleting)
				time.AfterFunc(30*time.Millisecond, func() { _, _ = b.Memory.Delete(context.Background(), name) })
				return true, err
			},
		} {
			b.Memory, b.remove = oneSandbox(nil).Memory, remove
			if err := open(t, version, b).DeleteSandbox(t.Context(), alpha); err != nil || len(left(t, b)) > 0 {
				t.Errorf("%s, %s: %v, left %q", version, name, err, left(t, b))
			}
		}
	}
}

func TestDeleteThatDoesNotHappen(t *testing.T) {
	for name, c := range map[string]struct {
		remove func(string) (bool, error)
		want   string
	}{
		"refused by an interceptor": {
			func(string) (bool, error) {
				return false, status.Error(codes.FailedPrecondition, "change\x07 freeze\nuntil Monday")
			},
			`DeleteSandbox of "alpha": change freeze until Monday (FailedPrecondition)`,
		},
		"the answer was lost and nothing happened": {
			func(string) (bool, error) {
				return false, status.Error(codes.Internal, "delete sandbox failed: engine")
			}, "engine",
		},
		"said and not done": {func(string) (bool, error) { return true, nil }, "still lists it as Ready"},
	} {
		b := oneSandbox(nil)
		b.remove = c.remove
		d := open(t, "0.0.110", b)
		if name == "said and not done" {
			d.DeleteLimit = time.Second // enough for a look
		}
		err := d.DeleteSandbox(t.Context(), alpha)
		if err == nil || !strings.Contains(err.Error(), c.want) || !slices.Equal(left(t, b), []string{"alpha"}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A sandbox that somebody made anew under the name is not the one that was to be deleted.
func TestDeleteEndsWhenTheNameIsReused(t *testing.T) {
	b := oneSandbox(nil)
	b.remove = func(name string) (bool, error) {
		_, _ = b.Memory.Delete(context.Background(), name)
		_, err := b.Memory.Create(context.Background(), gateway.Sandbox{Name: name})
		return true, err
	}
	if err := open(t, "0.0.110", b).DeleteSandbox(t.Context(), alpha); err != nil || !slices.Equal(left(t, b), []string{"alpha"}) {
		t.Errorf("%v, left %q", err, left(t, b))
	}
}

func TestWatch(t *testing.T) {
	b := oneSandbox(nil)
	d := open(t, "0.0.110", b)
	var seen []string
	enough := errors.New("enough")
	next := map[string]func(){
		"alpha Ready": func() { _, _ = b.SetPhase(context.Background(), "alpha", gateway.Failed) },
		"alpha Error": func() { _, _ = b.Create(context.Background(), gateway.Sandbox{Name: "beta"}) },
		"beta Ready":  func() { _, _ = b.Memory.Delete(context.Background(), "alpha") },
	}
	err := d.WatchSandboxes(t.Context(), func(c lifecycle.Change) error {
		word := c.Record.Name + " " + c.Record.Phase
		if c.Gone {
			seen = append(seen, c.Record.Name+" gone")
			return enough
		}
		seen = append(seen, word)
		next[word]()
		return nil
	})
	if want := []string{"alpha Ready", "alpha Error", "beta Ready", "alpha gone"}; !errors.Is(err, enough) || !slices.Equal(seen, want) {
		t.Errorf("saw %q, %v, want %q", seen, err, want)
	}
}

func TestWatchEnds(t *testing.T) {
	b := oneSandbox(nil)
	d := open(t, "0.0.110", b)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := d.WatchSandboxes(ctx, func(lifecycle.Change) error { cancel(stopped); return nil })
	if !errors.Is(err, stopped) {
		t.Errorf("the caller stopped: %v", err)
	}
	looks := 0
	b.list = func() error {
		looks++
		if looks == 2 || looks > 3 {
			return status.Error(codes.Unavailable, "restarting")
		}
		return nil
	}
	err = d.WatchSandboxes(t.Context(), func(lifecycle.Change) error { return nil })
	if err == nil || looks != 3+watchFailures {
		t.Errorf("a gateway that hung up, after %d looks: %v", looks, err)
	}
	b.list = func() error { return status.Error(codes.PermissionDenied, "no") }
	if err := d.WatchSandboxes(t.Context(), func(lifecycle.Change) error { return nil }); err == nil {
		t.Error("a gateway that refuses was watched on")
	}
}
