package openshell

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// TestUnmounted takes away what an extension had mounted, for whichever driver, and nothing of the operator's; when nothing is left,
// neither is the configuration.
func TestUnmounted(t *testing.T) {
	theirs, ours := Mount{Source: "/srv", Target: "/data"}, Mount{Source: "/run/tokens", Target: "/run/identity", ReadOnly: true}
	plain := (gateway.Sandbox{Image: "img:1"}).NewSpec("0.0.110")
	apply := func(spec []byte, c Changes) []byte {
		t.Helper()
		changed, err := c.Apply(spec)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	for _, driver := range []string{"docker", "podman"} {
		mounted := apply(plain, Changes{Driver: driver, Mounts: []Mount{theirs, ours}})
		if got, want := apply(mounted, Changes{Unmounted: []Mount{ours}}), apply(plain, Changes{Driver: driver, Mounts: []Mount{theirs}}); !bytes.Equal(got, want) {
			t.Errorf("%s: the spec is\n%q, want\n%q", driver, got, want)
		}
		if got := apply(mounted, Changes{Unmounted: []Mount{theirs, ours}}); !bytes.Equal(got, plain) {
			t.Errorf("%s: the spec is\n%q, want\n%q", driver, got, plain)
		}
		moved := Mount{Source: "/elsewhere", Target: ours.Target, ReadOnly: true}
		got, err := RawSandbox{Spec: apply(mounted, Changes{Driver: driver, Unmounted: []Mount{ours}, Mounts: []Mount{moved}})}.ReadSpec()
		if diff := cmp.Diff([]Mount{theirs, moved}, got.Mounts); err != nil || diff != "" {
			t.Errorf("%s: %v, mounts (-want +got):\n%s", driver, err, diff)
		}
	}
	if _, err := (Changes{Unmounted: []Mount{ours}}).Apply([]byte("nonsense")); err == nil {
		t.Error("a spec that is none passes")
	}
}
