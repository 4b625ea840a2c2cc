package e2e

import (
	"strings"
	"testing"
	"time"

	"sandkeeper/test/e2e/gateway"
)

const waitLimit = 20 * time.Second

// TestSandboxThatIsGoneComesBack: made from the recipe beside its backup, its home byte for byte, in the phase that it had; never twice.
func TestSandboxThatIsGoneComesBack(t *testing.T) {
	for _, version := range []string{trueVersion, pairVersion} {
		t.Run(version, func(t *testing.T) {
			h := newRecreateHost(t, version)
			before, files := h.saved()
			if p := h.recreate(); p.exit != 1 || !strings.Contains(p.stderr, `has a sandbox "alpha" already (Ready`) || !strings.Contains(p.stderr, "sandkeeper restore alpha puts a backup into") {
				t.Errorf("while it is there: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			h.gone()
			if p := h.sandkeeper("restore", "alpha", "--yes"); p.exit != 10 || !strings.Contains(p.stderr, "sandkeeper restore alpha --recreate makes it again") {
				t.Errorf("without --recreate: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			if p := h.recreate("--dry-run"); p.exit != 0 || !strings.Contains(p.stdout, "would make sandbox alpha on gateway openshell from image "+h.tag("agent:1")) || h.now("alpha").ID != "" {
				t.Errorf("dry run: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			p := h.recreate()
			if p.exit != 0 || !strings.Contains(p.stdout, "and left it running") || strings.Contains(p.stdout+p.stderr, "s3cret-value") {
				t.Fatalf("exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			h.back(before, files, gateway.Ready)
			if p := h.recreate(); p.exit != 1 || !strings.Contains(p.stderr, "already (Ready") {
				t.Errorf("again: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
		})
	}
}
