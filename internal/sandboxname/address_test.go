package sandboxname

import "testing"

func TestAddressTellsWorkspacesApart(t *testing.T) {
	for want, in := range map[string][2]string{"alpha": {"", "alpha"}, "beta": {DefaultWorkspace, "beta"}, "team2/alpha": {"team2", "alpha"}} {
		if got := Address(in[0], in[1]); got != want {
			t.Errorf("Address(%q, %q) = %q, want %q", in[0], in[1], got, want)
		}
	}
}
