package upgrade

import (
	"testing"

	"sandkeeper/sandbox"

	"github.com/google/go-cmp/cmp"
)

// TestTheGatewaysOfWhatIsUnfinishedAreLookedAt, also where the registry has forgotten them, and no others.
func TestTheGatewaysOfWhatIsUnfinishedAreLookedAt(t *testing.T) {
	registered := []sandbox.Binding{{Gateway: "one", Port: 8081}, {Gateway: "two", Port: 8082}}
	left := []Entry{{Name: "x", Gateway: "two"}, {Name: "y", Gateway: "gone"}, {Name: "z", Gateway: "two"}}
	want := []sandbox.Binding{{Gateway: "two", Port: 8082}, {Gateway: "gone"}}
	if diff := cmp.Diff(want, Bindings(left, registered)); diff != "" {
		t.Error(diff)
	}
}
