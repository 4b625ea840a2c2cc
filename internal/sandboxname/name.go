// Package sandboxname answers: may this text be the name of a sandbox? A name comes from a gateway, a registry or a
// backup and is data: it is never a path, and never repaired. There are three rules, each stricter than the one before:
// what a name may be at all, what the folder of a series may be called, and what a new sandbox may be called. It also
// holds how people write a sandbox, with its workspace.
package sandboxname

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sandkeeper/internal/pattern"
)

// Kept is the folder of a store that holds the state of gateways; no sandbox's folder has its name.
const Kept = "_gateway"

// KeptForSets is the folder of a store that holds the sets of migrations.
const KeptForSets = "_migration"

// Check says why name cannot stand for one path component and for a command line argument; nil when it can.
func Check(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case name == "." || name == "..":
		return errors.New("the name is a path, not a name")
	case len(name) > 255:
		return errors.New("the name is longer than 255 bytes")
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case strings.ContainsRune(name, '/'):
		return errors.New("the name holds a slash")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("the name holds a control character")
	case strings.HasPrefix(name, "-"):
		return errors.New("the name starts with a dash and would be read as an option")
	}
	return nil
}

// CheckFolder says why name cannot be the folder of a series; nil when it can. The folder of a second series of a name
// is longer than the name, and hidden names are kept for what is not finished.
func CheckFolder(name string) error {
	if err := Check(name); err != nil {
		return fmt.Errorf("sandbox name %.40q: %w", name, err)
	}
	switch {
	case len(name) > 200:
		return fmt.Errorf("sandbox name %.40q… has more than 200 bytes", name)
	case name == Kept:
		return fmt.Errorf("sandbox name %q is kept for the state of gateways", name)
	case name == KeptForSets:
		return fmt.Errorf("sandbox name %q is kept for the sets of migrations", name)
	case name[0] == '.':
		return fmt.Errorf("sandbox name %q starts with %q", name, name[:1])
	case strings.ContainsRune(name, '\\'):
		return fmt.Errorf("sandbox name %q is not one path component", name)
	}
	return nil
}

// LongestNew is how many bytes the name of a new sandbox may have.
const LongestNew = 19

// CheckNew says which rule for new sandboxes name breaks, as a phrase ("at most 19 characters"); "" when none. NemoClaw
// and newer OpenShell refuse such a name when it is created, while sandboxes that have one live on
// (docs/facts/nemoclaw.md 2).
func CheckNew(name string) string {
	switch {
	case len(name) > LongestNew:
		return fmt.Sprintf("at most %d characters", LongestNew)
	case !newName().MatchString(name):
		return "lower-case letters, digits and dashes, a letter first and no dash last"
	case strings.Contains(name, "--"):
		return "no two dashes in a row"
	}
	return ""
}

var newName = pattern.Of(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)
