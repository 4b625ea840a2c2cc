package upgrade

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sandkeeper/openshell"
	"sandkeeper/openshell/wire"
	"sandkeeper/sandbox"
)

// shelf is a gateway that keeps a service of each sandbox.
type shelf struct {
	to  []string // whom it was given back
	err error
}

func (s *shelf) Beside(_ context.Context, sb sandbox.Sandbox) (openshell.Beside, error) {
	return openshell.Beside{Services: []wire.Service{{Name: "web of " + sb.ID, Port: 80}}}, nil
}

func (s *shelf) Replay(_ context.Context, sb sandbox.Sandbox, kept openshell.Beside) error {
	s.to = append(s.to, sb.ID+" has "+kept.Services[0].Name)
	return s.err
}

// TestWhatIsKeptBesideTheRecipeIsGivenBack to the new sandbox, and on the way back to the old one that is made again; a refusal is said and
// fails nothing.
func TestWhatIsKeptBesideTheRecipeIsGivenBack(t *testing.T) {
	for _, state := range []string{"running", "exited"} {
		for _, back := range []bool{false, true} {
			w := startWorld(t, state, "alpha")
			f := w.fit(t)
			kept := &shelf{err: errors.New("quota exceeded")}
			f.Keeper = kept
			want := Upgraded
			if back {
				w.once("create")
				want = RolledBack
			}
			got, err := f.upgrade(t.Context(), "alpha")
			if err != nil || got[0].Outcome != want {
				t.Fatalf("upgrade = %+v, %v", got, err)
			}
			if now := w.listed()[0].ID; len(kept.to) != 1 || kept.to[0] != now+" has web of id-alpha" {
				t.Errorf("%s, back %v: %q, and it is %s", state, back, kept.to, now)
			}
			if said := strings.Join(got[0].Warnings, "\n"); !strings.Contains(said, "not given back to it: quota exceeded") {
				t.Errorf("warnings = %q", said)
			}
		}
	}
}
