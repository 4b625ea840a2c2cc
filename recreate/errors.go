package recreate

import (
	"fmt"
	"strings"

	"sandkeeper/internal/text"
)

// ExistsError says that there is a sandbox of that name which Make has not made.
type ExistsError struct {
	Name, Gateway string
	Phase, Reason string // as its gateway says
}

// Error names the sandbox and its phase.
func (e *ExistsError) Error() string {
	phase := e.Phase
	if e.Reason != "" {
		phase += ", " + text.OneLine(e.Reason, 120)
	}
	return fmt.Sprintf("gateway %q has a sandbox %q already (%s)", e.Gateway, e.Name, phase)
}

// UnfinishedError says that the sandbox is half made from another backup.
type UnfinishedError struct{ Name, Backup string }

// Error names the backup.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("sandbox %q is half made from backup %s", e.Name, e.Backup)
}

// MissingError names the providers that the recipe attaches and the gateway does not have.
type MissingError struct {
	Name, Gateway string
	Providers     []string
}

// Error names them.
func (e *MissingError) Error() string {
	return fmt.Sprintf("gateway %q lacks what sandbox %q was made with: provider %s", e.Gateway, e.Name, strings.Join(e.Providers, ", "))
}
