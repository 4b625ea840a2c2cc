package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A set of kinds says of each path what a map would, however many there are.
func TestKindsAreThoseOfAMap(t *testing.T) {
	pick, kinds, want := rand.New(rand.NewPCG(1, 2)), NewKinds(), map[string]byte{}
	for range 20_000 {
		path, kind := fmt.Sprintf("dir/%d", pick.IntN(9000)), byte('0'+pick.IntN(6))
		kinds.Set(path, kind)
		want[path] = kind
	}
	for i := range 10_000 {
		path := fmt.Sprintf("dir/%d", i)
		got, found := kinds.Of(path)
		if kind, there := want[path]; got != kind || found != there {
			t.Fatalf("%s is %q, %v, not %q, %v", path, got, found, kind, there)
		}
	}
}
