package env

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	e := Parse([]string{"A=1", "B=x=y", "A=2", "EMPTY=", "nonsense"})
	for name, want := range map[string]string{"A": "2", "B": "x=y", "EMPTY": "", "none": ""} {
		if got := e.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, set := e.Lookup("EMPTY"); !set {
		t.Error("EMPTY is set")
	}
	if _, set := e.Lookup("nonsense"); set {
		t.Error("an entry without = is no variable")
	}
	if got := (Env{}).Get("A"); got != "" {
		t.Errorf("zero value: got %q", got)
	}
}

func TestHomes(t *testing.T) {
	for _, c := range []struct {
		environ                            []string
		home, config, data, state, runtime string
	}{
		{[]string{"HOME=/h/"}, "/h", "/h/.config", "/h/.local/share", "/h/.local/state", ""},
		{[]string{"HOME=relative"}, "", "", "", "", ""},
		{nil, "", "", "", "", ""},
		{
			[]string{"HOME=/h", "XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d/../e", "XDG_STATE_HOME=rel", "XDG_RUNTIME_DIR=/run/user/1"},
			"/h", "/c", "/e", "/h/.local/state", "/run/user/1",
		},
		{[]string{"XDG_CONFIG_HOME=/c"}, "", "/c", "", "", ""},
	} {
		e := Parse(c.environ)
		got := []string{e.Home(), e.ConfigHome(), e.DataHome(), e.StateHome(), e.RuntimeDir()}
		if diff := cmp.Diff([]string{c.home, c.config, c.data, c.state, c.runtime}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.environ, diff)
		}
	}
}

func TestChildInheritsByList(t *testing.T) {
	e := Parse([]string{"HOME=/h", "PATH=/bin", "AWS_SECRET_ACCESS_KEY=s", "OPENSHELL_X=1", "LC_ALL=C", "LD_PRELOAD=/evil.so", "https_proxy=p", "NO_COLOR=0"})
	want := []string{"HOME=/h", "LC_ALL=C", "NO_COLOR=1", "OPENSHELL_X=1", "PATH=/usr/bin", "https_proxy=p"}
	if diff := cmp.Diff(want, e.Child("NO_COLOR=1", "PATH=/usr/bin")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWithAndWithoutLeaveTheOriginal(t *testing.T) {
	e := Parse([]string{"HOME=/h", "LANG=C"})
	changed := e.With("HOME=/other", "TERM=dumb").Without("LANG", "none")
	if diff := cmp.Diff([]string{"HOME=/other", "TERM=dumb"}, changed.Child()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := e.Child(); !slices.Equal(got, []string{"HOME=/h", "LANG=C"}) {
		t.Errorf("the original became %q", got)
	}
}

func TestAllLeavesNothingOut(t *testing.T) {
	e := Parse([]string{"PATH=/bin", "AWS_PROFILE=prod", "EMPTY="})
	if diff := cmp.Diff([]string{"AWS_PROFILE=prod", "EMPTY=", "PATH=/bin"}, e.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
