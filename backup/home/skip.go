package home

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// Skip is what an operator does not want kept: caches, dependencies that can be fetched again, a key file. A pattern is
// a path below the home in the form of path.Match, "projects/*/node_modules"; one without a slash is meant at every
// depth, "node_modules". What is below a path that matches goes with it.
type Skip struct{ patterns []string }

// ParseSkip checks the patterns. The error names the pattern that cannot be understood.
func ParseSkip(patterns []string) (Skip, error) {
	var s Skip
	for _, written := range patterns {
		clean := path.Clean(strings.TrimPrefix(written, "./"))
		_, err := path.Match(clean, "x")
		if err != nil || clean == "." || path.IsAbs(clean) || strings.HasPrefix(clean, "..") {
			return Skip{}, fmt.Errorf("%q is no pattern of a path below the home", written)
		}
		s.patterns = append(s.patterns, clean)
	}

	slices.Sort(s.patterns)
	s.patterns = slices.Compact(s.patterns)
	return s, nil
}

// Patterns are the patterns, cleaned and sorted; nil for none.
func (s Skip) Patterns() []string { return s.patterns }

// Match is the pattern that name itself matches; "" for none. The home is never skipped.
func (s Skip) Match(name string) string {
	for _, pattern := range s.patterns {
		subject := name
		if !strings.Contains(pattern, "/") {
			subject = path.Base(name)
		}
		if ok, _ := path.Match(pattern, subject); ok && name != "." { // checked by ParseSkip
			return pattern
		}
	}
	return ""
}

// Sink is into without what is skipped, which is listed there by its topmost path.
func (s Skip) Sink(into Sink) Sink {
	if len(s.patterns) == 0 {
		return into
	}
	return &skipping{Sink: into, skip: s, roots: map[string]bool{}}
}

// skipping stands before a Sink. Folders come before what is in them, so that what is below a skipped one is known by
// that.
type skipping struct {
	Sink
	skip  Skip
	roots map[string]bool
}

// Add hands on an entry that is not skipped. A hard link to a skipped file is skipped with it: its content is nowhere
// else in the stream.
func (s *skipping) Add(h *tar.Header, r io.Reader) error {
	for at := h.Name; at != "." && at != "/"; at = path.Dir(at) {
		if s.roots[at] {
			return nil
		}
	}

	if pattern := s.skip.Match(h.Name); pattern != "" {
		s.roots[h.Name] = true
		s.leaveOut(h.Name, pattern)
		return nil
	}
	return s.Sink.Add(h, r)
}

// walked takes what is skipped out of into, for a reader that need not look at it at all: a file of two names is then
// kept under the one that is not skipped. The reader asks only, which is nil when nothing is skipped, in one goroutine,
// and calls left when it is done.
func walked(into Sink) (rest Sink, only func(name string) bool, left func()) {
	s, ok := into.(*skipping)
	if !ok {
		return into, nil, func() {}
	}
	met := map[string]string{}
	only = func(name string) bool {
		pattern := s.skip.Match(name)
		if pattern != "" {
			met[name] = pattern
		}
		return pattern == ""
	}
	return s.Sink, only, func() {
		for _, name := range slices.Sorted(maps.Keys(met)) {
			s.leaveOut(name, met[name])
		}
	}
}

func (s *skipping) leaveOut(name, pattern string) {
	if known, ok := s.Sink.(interface{ Skip(name, pattern string) }); ok {
		known.Skip(name, pattern)
		return
	}
	s.Omit(name, "skipped by "+pattern)
}
