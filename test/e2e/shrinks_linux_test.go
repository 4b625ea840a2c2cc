package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Promise: a file that becomes shorter while a sandbox is read that goes on costs no other file, and is named, on both ways.
func TestAFileThatShrinksWhileItIsRead(t *testing.T) {
	for _, way := range []string{"direct", "engine"} {
		t.Run(way, func(t *testing.T) {
			p := newPatient(t, 0)
			p.engine.put(p.container, entry{name: "shrinks", content: noise(96), mode: 0o600}, entry{name: "z/", dir: true, mode: 0o755}, entry{name: "z/after", content: "whole", mode: 0o644})
			file := p.engine.homeOnHost(p.container) + "/shrinks"
			run := p.heldInMidFile(p.save("--pause-limit", "0", "--way", strings.Replace(way, "direct", "auto", 1), "--json")...)
			must(t, os.Truncate(file, 1<<20))
			run.signal(syscall.SIGCONT)
			out := run.end()
			var document struct{ Result struct{ Sandboxes []odd } }
			if err := json.Unmarshal([]byte(out.stdout), &document); err != nil || out.exit != 0 || len(document.Result.Sandboxes) != 1 {
				t.Fatalf("exit %d, %v\n%s%s", out.exit, err, out.stdout, out.stderr)
			}
			got := document.Result.Sandboxes[0]
			if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], `"shrinks"`) || got.Backup.Way != way {
				t.Errorf("on the way %q it names %q", got.Backup.Way, got.Warnings)
			}
			_, held := unpack(t, archivePath(got.Backup.Path))
			if held["z/after"] == "" || held["notes/today.md"] != wanted()["notes/today.md"] || held["shrinks"] == "" {
				t.Errorf("not all of the home is in it: %v", held)
			}
			p.engine.goesOn(p.container, 0)
			p.tidy()
			p.sound()
		})
	}
}
