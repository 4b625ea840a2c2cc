package docs

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sandkeeper/cmd"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// TestRestoreByHand promises that a backup comes back with the lines that docs/backups.md shows for three in the morning, without sandkeeper.
func TestRestoreByHand(t *testing.T) {
	for _, tool := range []string{"bash", "zstd", "tar", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: this machine lacks %s", tool)
		}
	}
	page, err := os.ReadFile("../../docs/backups.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\n(cd ~/.*?)```").FindStringSubmatch(string(page))
	if block == nil {
		t.Fatal("the page shows no way by hand")
	}
	home, into := savedHome(t), filepath.Join(t.TempDir(), "alpha")
	shell := exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", strings.ReplaceAll(block[1], "/tmp/alpha", into))
	shell.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if said, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(said), "archive.tar.zst: OK") {
		t.Fatalf("%v\n%s", err, said)
	}
	if got, err := os.ReadFile(filepath.Join(into, "notes.md")); err != nil || string(got) != "to be kept" {
		t.Errorf("notes.md holds %q, %v", got, err)
	}

	where := regexp.MustCompile(`(?m)^sed -n 's/\.\*"home".*$`).FindString(string(page))
	inBackup, _, _ := strings.Cut(block[1], "mkdir")
	shell = exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", inBackup+where)
	shell.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if said, err := shell.CombinedOutput(); err != nil || string(said) != "/sandbox\n" {
		t.Errorf("where the home is: %v\n%s", err, said)
	}

	proving := regexp.MustCompile("(?s)```\n(sed -n [^\n]*archive.*?)```").FindStringSubmatch(string(page))
	if proving == nil {
		t.Fatal("the page proves no archive with sha256sum")
	}
	first, _, _ := strings.Cut(strings.ReplaceAll(block[1], "/tmp/alpha", into), "mkdir")
	shell = exec.CommandContext(t.Context(), "bash", "-eo", "pipefail", "-c", first+strings.ReplaceAll(proving[1], "/tmp/alpha", into))
	shell.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	if said, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(said), "archive.tar.zst: OK") {
		t.Errorf("without the script: %v\n%s", err, said)
	}
}

// savedHome is a home with a backup of sandbox alpha in its usual place.
func savedHome(t *testing.T) string {
	t.Helper()
	engine, home := dockertest.Start(t), t.TempDir()
	engine.Add(dockertest.Container{
		Name: "openshell-alpha", State: "exited", Image: "sandbox:1",
		Labels: map[string]string{"openshell.ai/managed-by": "openshell", "openshell.ai/sandbox-name": "alpha", "openshell.ai/sandbox-id": "id-alpha"},
		Files: []dockertest.File{
			{Path: "/sandbox", Type: '5', Mode: 0o755, UID: os.Getuid(), GID: os.Getgid()},
			{Path: "/sandbox/notes.md", Data: []byte("to be kept"), Mode: 0o600, UID: os.Getuid(), GID: os.Getgid()},
		},
	})
	var said bytes.Buffer
	code := cmd.Main([]string{"backup-all", "--offline"}, &ui.Streams{
		In: strings.NewReader(""), Out: io.Discard, Err: &said, UID: os.Geteuid(),
		Env: env.Parse([]string{"HOME=" + home, "PATH=/nowhere", "DOCKER_HOST=" + engine.Host(), "SANDKEEPER_ENGINES=" + engine.Host()}),
	})
	if code != cmd.ExitOK {
		t.Fatalf("exit %d: %s", code, said.String())
	}
	return home
}
