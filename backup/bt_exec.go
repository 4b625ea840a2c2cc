package backup

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

// folder is a sandbox that is a folder of this machine: commands run here, with /sandbox meaning the folder.
type folder struct {
	dir    string
	calls  []openshell.ExecRequest
	before func(r openshell.ExecRequest, script string) error // may fail a command, or change the folder before it
	after  func(r openshell.ExecRequest, script string) error // may lose a command that was carried out
	env    []string                                           // beside our own
}

func (f *folder) Exec(ctx context.Context, r openshell.ExecRequest) (openshell.ExecResult, error) {
	f.calls = append(f.calls, r)
	if f.before != nil {
		if err := f.before(r, strings.Join(r.Argv, " ")); err != nil {
			return openshell.ExecResult{}, err
		}
	}
	argv := make([]string, len(r.Argv))
	for i, arg := range r.Argv {
		if arg == sandbox.DefaultHome || strings.HasPrefix(arg, sandbox.DefaultHome+"/") {
			arg = f.dir + strings.TrimPrefix(arg, sandbox.DefaultHome)
		}
		argv[i] = arg
	}
	var stderr bytes.Buffer
	child := exec.CommandContext(ctx, argv[0], argv[1:]...)
	child.Stdin, child.Stdout, child.Stderr, child.Env = r.Stdin, r.Stdout, &stderr, append(os.Environ(), f.env...)
	err := child.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return openshell.ExecResult{}, err
	}
	if f.after != nil {
		if err := f.after(r, strings.Join(r.Argv, " ")); err != nil {
			return openshell.ExecResult{}, err
		}
	}
	return openshell.ExecResult{Exit: child.ProcessState.ExitCode(), Stderr: stderr.String()}, nil
}

// write makes files below a folder: names that end in "/" are folders, contents that begin with "->" symbolic links.
func write(t *testing.T, dir string, files map[string]string) {
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

// contents reads a folder back in the same way.
func contents(t *testing.T, dir string) map[string]string {
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

func byExec(name string) sandbox.Sandbox {
	return sandbox.Sandbox{Name: name, Gateway: "gw", Registered: true, Listed: true, Standing: sandbox.Ready, Route: sandbox.ByExec}
}
