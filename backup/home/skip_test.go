package home

import (
	"archive/tar"
	"io"
	"slices"
	"strings"
	"testing"
)

// noting is a Sink that notes what it gets.
type noting struct{ added, skipped []string }

func (n *noting) Add(h *tar.Header, _ io.Reader) error { n.added = append(n.added, h.Name); return nil }

func (n *noting) Omit(name, reason string) { n.skipped = append(n.skipped, name+" "+reason) }

func (n *noting) Skip(name, pattern string) { n.skipped = append(n.skipped, name+" "+pattern) }

// TestSkip: a name is meant at every depth, a path once; what is below goes with it and is listed by its top alone.
func TestSkip(t *testing.T) {
	s, err := ParseSkip([]string{"node_modules", "./work/*.tmp", "node_modules"})
	if err != nil || !slices.Equal(s.Patterns(), []string{"node_modules", "work/*.tmp"}) {
		t.Fatalf("%v, %v", s.Patterns(), err)
	}
	seen := &noting{}
	into := s.Sink(seen)
	for _, name := range []string{
		".", "app", "app/node_modules", "app/node_modules/left-pad", "app/node_modules/left-pad/node_modules", "app/node_modules.txt",
		"work", "work/a.tmp", "work/deep", "work/deep/b.tmp", "node_modules",
	} {
		if err := into.Add(&tar.Header{Name: name}, strings.NewReader("")); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{".", "app", "app/node_modules.txt", "work", "work/deep", "work/deep/b.tmp"}; !slices.Equal(seen.added, want) {
		t.Errorf("kept %v, want %v", seen.added, want)
	}
	if want := []string{"app/node_modules node_modules", "work/a.tmp work/*.tmp", "node_modules node_modules"}; !slices.Equal(seen.skipped, want) {
		t.Errorf("listed %v, want %v", seen.skipped, want)
	}
	for _, bad := range []string{"", ".", "/etc", "../x", "a[", ".."} {
		if _, err := ParseSkip([]string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestWalkersDoNotEnterWhatIsSkipped, so that a file of two names is kept under the one that is not skipped.
func TestWalkersDoNotEnterWhatIsSkipped(t *testing.T) {
	s, err := ParseSkip([]string{"cache"})
	if err != nil {
		t.Fatal(err)
	}
	seen := &noting{}
	rest, only, left := walked(s.Sink(seen))
	if only("cache") || !only("src") || rest != Sink(seen) {
		t.Error("cache is entered, or src is not")
	}
	if left(); !slices.Equal(seen.skipped, []string{"cache cache"}) {
		t.Errorf("listed %v", seen.skipped)
	}
	if rest, only, _ := walked(seen); only != nil || rest != Sink(seen) {
		t.Error("nothing is skipped, and a walker asks all the same")
	}
}
