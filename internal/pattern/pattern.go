// Package pattern keeps regular expressions that most runs of the program never need: they are compiled when they are
// first used. Compiling all of ours took a fifth of the time that `sandkeeper version` takes to start
// (docs/benchmarks.md).
package pattern

import (
	"regexp"
	"sync"
)

// Of is a regular expression that is compiled once, by whoever asks first; several may at the same time. A wrong one
// panics then.
func Of(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
