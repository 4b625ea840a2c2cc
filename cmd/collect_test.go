package cmd

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"sandkeeper/internal/env"
)

// A backup of any size stays below 64 MiB because garbage is collected often from the first collection on, which a look
// at a host does not reach; unless the operator said how often.
func TestGarbageIsCollectedOftenOnceItIsCollected(t *testing.T) {
	usual := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(usual) })
	collectOften(env.Parse([]string{"GOGC=100"}))
	if got := collectedAt(); got != 100 {
		t.Errorf("with GOGC=100 collected at %d %%", got)
	}
	collectOften(env.Parse(nil))
	if got := collectedAt(); got != collectWhileLooking && got != collectUsually { // another test may have made the garbage
		t.Errorf("before the first collection collected at %d %%", got)
	}
	until(t, collectUsually)

	mayCollect(env.Parse(nil), collectOfParts)
	fromNowOn(collectUsually)
	if got := collectedAt(); got != collectOfParts {
		t.Errorf("on the way to a bucket collected at %d %%", got)
	}
}

// until collects until the cleanups have run that set how often that is done.
func until(t *testing.T, percent uint64) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		if collectedAt() == percent {
			return
		}
	}
	t.Errorf("collected at %d %%, want %d", collectedAt(), percent)
}

func collectedAt() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
