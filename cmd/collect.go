package cmd

import (
	"runtime"
	"runtime/debug"

	"sandkeeper/internal/env"
)

// How often garbage is collected: when there is so many percent of it beside what lives.
const (
	collectWhileLooking = 200 // not before there are 8 MiB, twice of what Go allows by itself
	collectUsually      = 50
	collectOfParts      = 20 // of those on the way to a bucket
)

// collectOften keeps a whole backup below 64 MiB: what lives while one runs is a few large buffers and the index, so that
// collecting when there is half as much garbage beside them, and not as much as lives, costs next to nothing
// (docs/benchmarks.md). That begins with the first collection. A look at a host makes half of what the first one waits for:
// it ends without any, sooner, and with less memory. GOGC keeps its meaning.
func collectOften(e env.Env) {
	if mayCollect(e, collectWhileLooking) {
		runtime.AddCleanup(new([64]byte), fromNowOn, collectUsually)
	}
}

// fromNowOn sets how often garbage is collected, where it is not collected more often already.
func fromNowOn(percent int) {
	if was := debug.SetGCPercent(percent); was < percent {
		debug.SetGCPercent(was)
	}
}

// mayCollect sets how often garbage is collected, unless the operator did.
func mayCollect(e env.Env, percent int) bool {
	if e.Get("GOGC") != "" {
		return false
	}
	debug.SetGCPercent(percent)
	return true
}
