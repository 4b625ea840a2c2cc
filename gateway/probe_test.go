package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/drift"
)

// seeing is a probe that ends with its code as detail after d; stubborn ones do not heed their context.
func seeing(code string, d time.Duration, stubborn bool) probe {
	put := func(*Observation) {}
	return probe{code, func(ctx context.Context) finding {
		done := ctx.Done()
		if stubborn {
			done = nil
		}
		select {
		case <-time.After(d):
			return finding{drift.Known, code, put}
		case <-done:
			return finding{drift.Unknown, "stopped", put}
		}
	}, func(why string) finding { return finding{drift.Unknown, why, put} }}
}

func TestProbesRunTogetherAndEndInTime(t *testing.T) {
	tests := []struct {
		name   string
		probes []probe
		took   time.Duration
		want   string // details
	}{
		{
			"as long as the slowest",
			[]probe{seeing("a", 3*time.Second, false), seeing("b", time.Second, false), seeing("c", 3*time.Second, false)},
			3 * time.Second, "a|b|c",
		},
		{"one that is told to stop", []probe{seeing("a", time.Hour, false), seeing("b", time.Second, false)}, 15 * time.Second, "stopped|b"},
		{
			"one that does not stop is left behind",
			[]probe{seeing("a", 20*time.Second, true), seeing("b", time.Second, false)},
			15*time.Second + settle,
			"the limit of the test|b",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 15*time.Second, errors.New("the limit of the test"))
				defer cancel()
				var seen Observation
				start := time.Now()
				runProbes(ctx, test.probes, &seen)
				took := time.Since(start)
				var details []string
				for _, p := range seen.Probes {
					details = append(details, p.Detail)
				}
				if got := strings.Join(details, "|"); got != test.want || took != test.took {
					t.Errorf("saw %s after %s, want %s after %s", got, took, test.want, test.took)
				}
				time.Sleep(time.Minute) // what was left behind ends
			})
		})
	}
}
