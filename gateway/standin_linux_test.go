package gateway

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sandkeeper/internal/env"
)

// built is testdata/gateway, compiled once for all tests of this run.
var built = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "standin")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, gatewayProgram)
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "./testdata/gateway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the stand-in gateway: %w\n%s", err, output)
	}
	return os.ReadFile(path)
})

// install puts a stand-in gateway of that version at path, as a package manager does: a new file renamed over the old one.
func install(t *testing.T, path, version string) {
	t.Helper()
	image, err := built()
	if err != nil {
		t.Fatal(err)
	}
	parents(t, path)
	fresh := path + ".new"
	if err := os.WriteFile(fresh, append(image[:len(image):len(image)], "\nVERSION="+version...), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

// standIn is a running stand-in gateway.
type standIn struct {
	*exec.Cmd
	port int // that it listens on; 0 for none
}

// launch starts path with argv0 and more, and waits until it is up. port "0" makes it listen on any port, "" on none.
func launch(t *testing.T, path, port string, argv ...string) standIn {
	t.Helper()
	command := &exec.Cmd{Path: path, Args: argv, Env: []string{"STAND_IN_PORT=" + port}}
	if len(argv) == 0 {
		command.Args = []string{path}
	}
	return up(t, command)
}

func up(t *testing.T, command *exec.Cmd) standIn {
	t.Helper()
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the stand-in did not come up: %v", err)
	}
	return standIn{command, number(strings.TrimSpace(line))}
}

// hostWith is options for a home of its own, in which NemoClaw's gateway has the given port.
func hostWith(t *testing.T, port int) (o Options, home, stateDir string) {
	t.Helper()
	home = t.TempDir()
	stateDir = filepath.Join(home, "state")
	if err := os.Mkdir(stateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	o = Options{
		UID: os.Geteuid(), Root: filepath.Join(home, "root"), ProbeTimeout: 20 * time.Second,
		Env: env.Parse([]string{
			"HOME=" + home, "NEMOCLAW_GATEWAY_PORT=" + strconv.Itoa(port), "NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR=" + stateDir,
			"OPENSHELL_SYSTEM_GATEWAY_DIR=" + home + "/none", "XDG_RUNTIME_DIR=" + home,
		}),
	}
	return o.filled(), home, stateDir
}

// mark writes the runtime marker of a process.
func mark(t *testing.T, dir string, pid int, bin string, created time.Time) {
	t.Helper()
	binary := strconv.Quote(bin)
	if bin == "" {
		binary = "null"
	}
	write(fmt.Sprintf(`{"version":1,"pid":%d,"driver":"docker","platform":"linux","arch":"x64","endpoint":"http://127.0.0.1:8080",
		"desiredEnvHash":"x","gatewayBin":%s,"openshellVersion":"0.0.37","dockerHost":null,"createdAt":%q}`,
		pid, binary, created.UTC().Format(time.RFC3339Nano)))(t, filepath.Join(dir, "runtime.json"))
}
