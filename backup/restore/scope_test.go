package restore

import (
	"archive/tar"
	"errors"
	"strings"
	"testing"

	"sandkeeper/backup/archive"

	"github.com/google/go-cmp/cmp"
)

func TestHostileEntriesAreRefused(t *testing.T) {
	kinds := archive.NewKinds()
	for name, kind := range map[string]byte{"dir": tar.TypeDir, "file": tar.TypeReg, "link": tar.TypeSymlink} {
		kinds.Set(name, kind)
	}
	for name, h := range map[string]tar.Header{
		"absolute":              {Typeflag: tar.TypeReg, Name: "/etc/passwd"},
		"dot dot":               {Typeflag: tar.TypeReg, Name: "../x"},
		"dot dot inside":        {Typeflag: tar.TypeReg, Name: "dir/../../x"},
		"through a link":        {Typeflag: tar.TypeReg, Name: "link/x"},
		"deep through a link":   {Typeflag: tar.TypeReg, Name: "link/a/b/x"},
		"below a file":          {Typeflag: tar.TypeReg, Name: "file/x"},
		"hard link out":         {Typeflag: tar.TypeLink, Name: "x", Linkname: "../etc/passwd"},
		"hard link to a link":   {Typeflag: tar.TypeLink, Name: "x", Linkname: "link"},
		"hard link to nothing":  {Typeflag: tar.TypeLink, Name: "x", Linkname: "later"},
		"a home that is a link": {Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/root"},
		"device":                {Typeflag: tar.TypeBlock, Name: "sda"},
		"pipe":                  {Typeflag: tar.TypeFifo, Name: "p"},
		"twice":                 {Typeflag: tar.TypeReg, Name: "file"},
	} {
		h.Name = archive.CleanName(h.Name)
		if _, ok := errors.AsType[*archive.DamageError](archive.SafeEntry(&h, kinds)); !ok {
			t.Errorf("%s was let in", name)
		}
	}
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "dir/x"}, {Typeflag: tar.TypeLink, Name: "x", Linkname: "./file"}, {Typeflag: tar.TypeSymlink, Name: "y", Linkname: "/etc"},
	} {
		if err := archive.SafeEntry(&h, kinds); err != nil {
			t.Errorf("%s: %v", h.Name, err)
		}
	}
}

func TestStateOfAnAgent(t *testing.T) {
	index := func(names ...string) *archive.Manifest {
		m := &archive.Manifest{Index: &archive.Index{}}
		for _, name := range names {
			m.Index.Entries = append(m.Index.Entries, archive.Entry{Path: name})
		}
		return m
	}
	for _, tt := range []struct {
		agent string
		names []string
		roots []string
		says  string
	}{
		{
			"",
			[]string{".openclaw", ".openclaw/workspace", ".openclaw/workspace/a", ".openclaw/workspace-b", ".openclaw/plugins", "x"},
			[]string{".openclaw/workspace", ".openclaw/workspace-b"},
			"",
		},
		{"hermes", []string{".hermes/runtime", ".hermes/runtime/state.db", ".hermes/hooks"}, []string{".hermes/runtime/state.db"}, ""},
		{"pi", []string{".pi/agent/sessions", ".pi/agent/tools"}, []string{".pi/agent/sessions"}, ""},
		{"langchain-deepagents-code", []string{".deepagents/agent", ".deepagents/agent/skills"}, []string{".deepagents/agent/skills"}, ""},
		{"nemocua", []string{"a"}, nil, "is not known"},
		{"openclaw", []string{"a"}, nil, "none of the state"},
	} {
		m := index(tt.names...)
		m.Agent = tt.agent
		pick, err := choose(m, ScopeState, "")
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q: %v", tt.agent, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.roots, pick.roots); diff != "" {
			t.Errorf("%q roots (-want +got):\n%s", tt.agent, diff)
		}
	}
	m := index("a")
	m.Agent = "hermes"
	if _, err := choose(m, ScopeState, "openclaw"); err == nil || !strings.Contains(err.Error(), "their state is not the same") {
		t.Errorf("another agent's state: %v", err)
	}
}

func TestSelectionRoot(t *testing.T) {
	s := &selection{roots: []string{"a/b", "c"}}
	for name, want := range map[string]string{"a/b": "a/b", "a/b/c": "a/b", "a": "", "a/bc": "", "c": "c", ".": "", "d": ""} {
		if got := s.root(name); got != want {
			t.Errorf("root of %q is %q, want %q", name, got, want)
		}
	}
	if whole := (&selection{roots: []string{"."}}); whole.root("x/y") != "." || !whole.whole() {
		t.Error("the whole home does not hold everything")
	}
}
