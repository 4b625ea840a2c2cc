package cmd

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// madeUpHost is a host with a home, a fake container engine and, where wanted, somebody at the terminal.
type madeUpHost struct {
	t      *testing.T
	engine *dockertest.Daemon
	home   string
	answer string // what the person types; "" is nobody there
	more   string // further engines, as SANDKEEPER_ENGINES lists them: ",unix:///…"
}

func newHost(t *testing.T) *madeUpHost {
	t.Helper()
	return &madeUpHost{t: t, engine: dockertest.Start(t), home: t.TempDir()}
}

// sandbox adds a labelled container whose home holds one file.
func (h *madeUpHost) sandbox(name, state, content string) {
	h.engine.Add(dockertest.Container{
		Name: "openshell-" + name, State: state, Image: "sandbox:1",
		Labels: map[string]string{"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-name": name, "openshell.ai/sandbox-id": "id-" + name},
		Files: []dockertest.File{
			{Path: "/sandbox", Type: '5', Mode: 0o755},
			{Path: "/sandbox/notes.md", Data: []byte(content)},
		},
	})
}

func (h *madeUpHost) streams() *ui.Streams {
	return &ui.Streams{
		In: strings.NewReader(h.answer), Out: io.Discard, Err: io.Discard, InTTY: h.answer != "", ErrTTY: h.answer != "",
		Env: env.Parse([]string{"HOME=" + h.home, "PATH=/nowhere", "SANDKEEPER_ENGINES=" + h.engine.Host() + h.more}),
		UID: os.Geteuid(),
	}
}

// run is one command line on the host.
func (h *madeUpHost) run(args ...string) (code ExitCode, stdout, stderr string) {
	h.t.Helper()
	var out, problems bytes.Buffer
	s := h.streams()
	s.Out, s.Err = &out, &problems
	code = run(h.t.Context(), args, newApp(args, s))
	return code, out.String(), problems.String()
}

// mustRun fails the test unless the command ends well.
func (h *madeUpHost) mustRun(args ...string) string {
	h.t.Helper()
	code, stdout, stderr := h.run(args...)
	if code != ExitOK {
		h.t.Fatalf("sandkeeper %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// content is what the sandbox's one file holds now.
func (h *madeUpHost) content(name string) string {
	h.t.Helper()
	container, found := h.engine.Get("openshell-" + name)
	if !found {
		h.t.Fatalf("no container of sandbox %q", name)
	}
	for _, file := range container.Files {
		if file.Path == "/sandbox/notes.md" {
			return string(file.Data)
		}
	}
	return ""
}
