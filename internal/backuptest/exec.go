package backuptest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Folder is a sandbox that is a folder of this machine: commands run here, with /sandbox meaning the folder.
type Folder struct {
	Dir    string
	Calls  []openshell.ExecRequest
	Before func(r openshell.ExecRequest, script string) error // may fail a command, or change the folder before it
	After  func(r openshell.ExecRequest, script string) error // may lose a command that was carried out
	Env    []string                                           // beside our own
}

// Exec runs the command here, in the folder.
func (f *Folder) Exec(ctx context.Context, r openshell.ExecRequest) (openshell.ExecResult, error) {
	f.Calls = append(f.Calls, r)
	if f.Before != nil {
		if err := f.Before(r, strings.Join(r.Argv, " ")); err != nil {
			return openshell.ExecResult{}, err
		}
	}

	argv := make([]string, len(r.Argv))
	for i, arg := range r.Argv {
		arg = strings.ReplaceAll(arg, "-ef "+sandbox.DefaultHome+" ", "-ef "+f.Dir+" ")
		if arg == sandbox.DefaultHome || strings.HasPrefix(arg, sandbox.DefaultHome+"/") {
			arg = f.Dir + strings.TrimPrefix(arg, sandbox.DefaultHome)
		}
		argv[i] = arg
	}

	var stderr bytes.Buffer
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	child.Dir = f.Dir // where a supervisor starts every command
	child.Stdin, child.Stdout, child.Stderr, child.Env = r.Stdin, r.Stdout, &stderr, append(os.Environ(), f.Env...)
	err := child.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return openshell.ExecResult{}, err
	}
	if f.After != nil {
		if err := f.After(r, strings.Join(r.Argv, " ")); err != nil {
			return openshell.ExecResult{}, err
		}
	}

	return openshell.ExecResult{Exit: child.ProcessState.ExitCode(), Stderr: stderr.String()}, nil
}

// Write makes files below a folder: names that end in "/" are folders, contents that begin with "->" symbolic links.
func Write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, body := range files {
		full := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if target, link := strings.CutPrefix(body, "->"); err == nil && link {
			err = os.Symlink(target, full)
		} else if err == nil && strings.HasSuffix(name, "/") {
			err = os.MkdirAll(full, 0o755)
		} else if err == nil {
			err = os.WriteFile(full, []byte(body), 0o644)
		}

		if err != nil {
			t.Fatal(err)
		}
	}
}

// Contents reads a folder back in the same way.
func Contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		switch {
		case err != nil:
			return err
		case d.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(name)
			found[rel] = "->" + target
			return err
		case d.IsDir():
			if rel != "." {
				found[rel+"/"] = ""
			}
			return nil
		}

		body, err := os.ReadFile(name)
		found[rel] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ByExec is a sandbox that can be reached through its gateway alone.
func ByExec(name string) sandbox.Sandbox {
	return sandbox.Sandbox{Name: name, Gateway: "gw", Registered: true, Listed: true, Standing: sandbox.Ready, Route: sandbox.ByExec}
}
