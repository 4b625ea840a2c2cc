package openshell

import (
	"fmt"
	"regexp"
	"strings"

	"sandkeeper/internal/command"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
)

// errRefused means that this generation of the CLI does not know an argument.
var errRefused = fmt.Errorf("the openshell CLI does not know an argument: %w", ErrUnsupported)

// refused recognises clap's usage errors (exit status 2) and the CLI's own word on -o (docs/facts/openshell.md 2.1).
func refused(r command.Result) bool { return refusedArgument(r) != "" }

var (
	quoted      = pattern.Of("(?:[Uu]nexpected argument|[Ff]ound argument) ['\"`]?(--?[A-Za-z-]+)")
	badValue    = pattern.Of("invalid value .* for ['\"`]?(--?[A-Za-z-]+)")
	format      = pattern.Of(`(?i)unsupported output format`)
	unknownWord = pattern.Of(`(?i)unrecognized subcommand|unexpected argument|wasn't expected`)
)

// refusedArgument is the argument that the CLI does not know, as it was given ("--limit"); "?" when it refused
// something else, and "" when this is no unknownWord.
func refusedArgument(r command.Result) string {
	text := text.Normalise(r.Combined())
	if r.Exit != 0 && format().MatchString(text) {
		return "-o"
	}
	if r.Exit != 2 {
		return ""
	}
	for _, said := range []*regexp.Regexp{quoted(), badValue()} {
		if found := said.FindStringSubmatch(text); found != nil {
			return strings.TrimSpace(found[1])
		}
	}

	if unknownWord().MatchString(text) {
		return "?"
	}
	return ""
}
