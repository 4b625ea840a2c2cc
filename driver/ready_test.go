package driver

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// looks shows one phase after the other; the last one for ever.
func looks(phases ...string) func(context.Context) error {
	return func(context.Context) error {
		now := phases[0]
		if len(phases) > 1 {
			phases = phases[1:]
		}
		switch now {
		case "Ready":
			return nil
		case "silent":
			return errors.New("nobody answers")
		}
		return &NotReadyError{Name: "alpha", Phase: now}
	}
}

// TestAwait: what was just made is given up in Error; what was just started may still be shown with the stop that came before.
func TestAwait(t *testing.T) {
	p := Patience{Ready: 200 * time.Millisecond, Poll: time.Millisecond}
	for _, c := range []struct {
		name     string
		look     func(context.Context) error
		hopeless string
		want     string // part of the error; "" for none
	}{
		{"made", looks("Provisioning", "silent", "Ready"), "Error", ""},
		{"made, comes to Error", looks("Provisioning", "Error", "Ready"), "Error", `its gateway says "Error"`},
		{"started, the stop is shown late", looks("Error", "Stopped", "Ready"), "", ""},
		{"never", looks("Provisioning"), "Error", `not Ready within 200ms; at last: sandbox "alpha" is not Ready`},
	} {
		err := p.Await(t.Context(), c.look, c.hopeless)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestStays: another phase within the settle time ends it, a look that failed in between does not.
func TestStays(t *testing.T) {
	p := Patience{Settle: 20 * time.Millisecond, Poll: time.Millisecond}
	if err := p.Stays(t.Context(), looks("Ready", "silent", "Ready")); err != nil {
		t.Error(err)
	}
	if err := p.Stays(t.Context(), looks("Ready", "Error", "Ready")); err == nil || !strings.Contains(err.Error(), "did not stay so") {
		t.Errorf("it came to Error, and the answer is %v", err)
	}
	if err := p.Stays(t.Context(), looks("Ready", "silent")); err == nil {
		t.Error("the last look failed, and it counts as Ready")
	}
}
