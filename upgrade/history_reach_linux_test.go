package upgrade

import (
	"strings"
	"testing"
)

// What befalls a command of a history falls within it: its calls are as many as mishaps are drawn from, or hardly fewer.
func TestMishapsFallWithinTheirCommand(t *testing.T) {
	for _, command := range []string{"backup", "restore", "upgrade"} {
		h := newHistory(t, 1)
		whole := command
		if command == "restore" {
			h.run("backup", fate{})
			h.choose()
			whole += " " + h.redo
		}
		p := h.begin(fate{})
		if _, err := p.do(t.Context(), whole); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		within, calls, onDisk := reachOf(command), int(p.calls.Load()), p.disk.Calls()
		if within.calls > calls*5/4 || within.calls < calls*3/4 || within.disk > onDisk*5/4 || within.disk < onDisk*3/4 {
			t.Errorf("%s makes %d calls, %d to the disk; mishaps are drawn from %+v", command, calls, onDisk, within)
		}
	}
}

// Each call that a backup's pause has room for is one at which a death leaves the sandbox paused, and the next one is not.
func TestDeathsFallWithinAPause(t *testing.T) {
	last := reachOf("backup").paused
	for n := 1; n <= last+1; n++ {
		h := newHistory(t, n)
		h.run("backup", fate{paused: true, dies: n, after: n < last, guard: true})
		if states := h.states(); strings.HasSuffix(states, " paused") != (n <= last) {
			t.Errorf("a death at call %d of a pause of %d: %s", n, last, states)
		}
	}
}
