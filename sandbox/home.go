package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sandkeeper/engine"
)

// DefaultHome is the home of a sandbox whose image names no WORKDIR, and of every sandbox of the podman driver.
const DefaultHome = "/sandbox"

// supervisorPlace is what OpenShell 0.1.x puts into a workload's file system: its runtime, channel and keys.
const supervisorPlace = "/.openshell"

// HomeEvidence is what tells where a sandbox's home is, as far as it was seen.
type HomeEvidence struct {
	Podman        bool     // made by the podman driver
	Pair          bool     // made by OpenShell 0.1.x: the supervisor runs in a container of its own
	Companion     []string // command of the companion; nil when there is none, as in a sandbox that is stopped
	Command       []string // command of the container itself
	WorkspaceRoot string   // what the gateway noted on this host for the next start
	ImageWorkdir  string   // WORKDIR of the image
}

// Home is the agent's workspace root. The supervisor decides it, so its own --workdir comes first; it is in the
// container itself before 0.1.0 and in the companion since. Without one, a supervisor of 0.0.98 and older means
// /sandbox, and a newer one what it was told before, or what it makes of the image (docs/facts/openshell-0.1.md 1.1).
func Home(e HomeEvidence) (string, error) {
	return e.checked(e.home())
}

func (e HomeEvidence) home() string {
	if e.Podman {
		return DefaultHome
	}
	for _, command := range [][]string{e.Companion, e.Command} {
		if dir := workdirArgument(command); dir != "" {
			return dir
		}
	}

	switch {
	case e.WorkspaceRoot != "":
		return e.WorkspaceRoot
	case e.supervised() && !e.Pair:
		return DefaultHome
	}
	return e.ImageWorkdir
}

// checked refuses what can be no home, and makes of the others what the supervisor makes of them.
func (e HomeEvidence) checked(dir string) (string, error) {
	if dir == "" {
		return DefaultHome, nil
	}
	clean := path.Clean(dir)
	switch {
	case !path.IsAbs(dir):
		return "", fmt.Errorf("its home %q is not an absolute path", dir)
	case clean == "/":
		return DefaultHome, nil
	case clean == supervisorPlace || strings.HasPrefix(clean, supervisorPlace+"/"):
		return "", fmt.Errorf("its home would be %s, where OpenShell keeps its own files", clean)
	}
	return clean, nil
}

// Tells reports that the container's command says where the home is: it is a supervisor that was told, or one of before
// 0.1.0, which says by silence that it is /sandbox.
func (e HomeEvidence) Tells() bool {
	return workdirArgument(e.Command) != "" || e.supervised() && !slices.Contains(e.Command, "--bootstrap")
}

// supervised reports that the container's main process is OpenShell's supervisor.
func (e HomeEvidence) supervised() bool {
	return len(e.Command) > 0 && path.Base(e.Command[0]) == "openshell-sandbox"
}

// workdirArgument is what a supervisor was told with --workdir; "" for another program, and where it was told nothing.
// What follows "--" is the agent's own command.
func workdirArgument(command []string) string {
	if len(command) == 0 {
		return ""
	}
	if program := path.Base(command[0]); program != "openshell-sandbox" && program != "openshell-supervisor" {
		return ""
	}
	for i, argument := range command[1:] {
		if argument == "--" {
			return ""
		}
		if argument == "--workdir" && i+2 < len(command) {
			return command[i+2]
		}
		if dir, ok := strings.CutPrefix(argument, "--workdir="); ok {
			return dir
		}
	}
	return ""
}

// HomeEngine is what FindHome asks a container engine.
type HomeEngine interface {
	Inspect(ctx context.Context, id string) (engine.Container, error)
	ImageWorkdir(ctx context.Context, ref string) (string, error)
}

// FindHome asks the engine of s's container for the evidence and gives the home. No file of any container is read.
func FindHome(ctx context.Context, on HomeEngine, s Sandbox) (string, error) {
	c, err := on.Inspect(ctx, s.Container.ID)
	if err != nil {
		return "", err
	}
	evidence := HomeEvidence{Podman: c.Podman, Pair: c.Role != "", Command: c.Command, WorkspaceRoot: s.WorkspaceRoot}
	if s.Companion != nil && !c.Podman {
		beside, err := on.Inspect(ctx, s.Companion.ID)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a gateway that stops the sandbox removes it
			return "", fmt.Errorf("its companion %q: %w", s.Companion.Name, err)
		}
		evidence.Companion = beside.Command
	}

	if evidence.needsImage() {
		evidence.ImageWorkdir, err = on.ImageWorkdir(ctx, c.ImageID)
		if errors.Is(err, fs.ErrNotExist) && !evidence.Pair {
			return DefaultHome, nil
		}
		if err != nil {
			return "", fmt.Errorf("its home depends on its image, which cannot be looked at: %w", err)
		}
	}

	return Home(evidence)
}

// needsImage reports that nothing but the image can tell the home.
func (e HomeEvidence) needsImage() bool {
	if e.Podman || e.supervised() && !e.Pair {
		return false
	}
	return e.home() == ""
}
