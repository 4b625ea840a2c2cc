// Package standin makes stand-ins for OpenShell's programs where the real ones cannot be had: an openshell command line
// that follows a script, and a gateway process of any version. The demo and the end-to-end tests use it.
package standin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"sandkeeper/test/standin/openshell"
)

// Programs is a folder with the stand-ins, built.
type Programs struct{ Dir string }

// Build compiles the stand-ins into dir with the Go tool on PATH: those that are named, or all. It must run inside this
// module.
func Build(ctx context.Context, dir string, names ...string) (Programs, error) {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "sandkeeper/test/standin/cmd/"+name)
	}
	if len(names) == 0 {
		args = append(args, "sandkeeper/test/standin/cmd/...")
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // static: sandbox-program runs in an otherwise empty container
	if out, err := build.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("%q: %w\n%s", build.Args, err, out)
	}
	return Programs{Dir: dir}, nil
}

// Gateway writes an openshell-gateway of the given version to path, replacing what is there the way package managers
// do: a new file is renamed over the old one, so that a running process keeps its image.
func (p Programs) Gateway(path, version string) error {
	return p.install("openshell-gateway", path, trailer+version+"\n")
}

// InSandbox is the content of an executable for a sandbox container: a main process, and, under any name, a program
// that tells the given version.
func (p Programs) InSandbox(version string) (string, error) {
	program, err := os.ReadFile(filepath.Join(p.Dir, "sandbox-program"))
	return string(program) + trailer + version + "\n", err
}

// OpenShell writes an openshell command line to path.
func (p Programs) OpenShell(path string) error { return p.install("openshell", path, "") }

func (p Programs) install(name, path, end string) (err error) {
	program, err := os.Open(filepath.Join(p.Dir, name))
	if err != nil {
		return err
	}
	defer program.Close()
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, program); err == nil {
		_, err = io.WriteString(f, end)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Script writes what the openshell stand-in follows; name the file in OPENSHELL_STANDIN.
func Script(path string, s openshell.Script) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
