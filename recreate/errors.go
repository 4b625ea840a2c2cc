package recreate

import (
	"fmt"
	"strings"

	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

// ExistsError says that there is a sandbox of that name which Make has not made.
type ExistsError struct {
	Sandbox       sandbox.Sandbox // its name, gateway and workspace
	Phase, Reason string          // as its gateway says
}

// Error names the sandbox and its phase.
func (e *ExistsError) Error() string {
	phase := e.Phase
	if e.Reason != "" {
		phase += ", " + text.OneLine(e.Reason, 120)
	}
	return fmt.Sprintf("gateway %q has a sandbox %q already (%s)", e.Sandbox.Gateway, e.Sandbox.Address(), phase)
}

// UnfinishedError says that the sandbox is half made from another backup.
type UnfinishedError struct{ Entry }

// Error names the backup.
func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("sandbox %q is half made from backup %s", e.Address(), e.Backup)
}

// MissingError names the providers that the recipe attaches and the gateway does not have.
type MissingError struct {
	Name, Gateway string // the name as Address gives it
	Providers     []string
}

// Error names them.
func (e *MissingError) Error() string {
	return fmt.Sprintf("gateway %q lacks what sandbox %q was made with: provider %s", e.Gateway, e.Name, strings.Join(e.Providers, ", "))
}
