package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // makes and reads databases

	"sandkeeper/internal/dockertest"
	"sandkeeper/test/e2e/gateway"
)

// stateOf is what backup-all says of the gateway that it saved.
type stateOf struct {
	Status, Reason string
	Backup         struct{ Path string }
}

// saveState runs backup-all beside an engine that has no container: those of this machine are not touched.
func (h *host) saveState() stateOf {
	h.t.Helper()
	env, err := h.Environment()
	if err != nil {
		h.t.Fatal(err)
	}
	engine := dockertest.Start(h.t).Host()
	p := run(h.t, append(env, "DOCKER_HOST="+engine, "SANDKEEPER_ENGINES="+engine), filepath.Join(h.Programs.Dir, "sandkeeper"), "backup-all", "--offline", "--json")
	var said struct {
		Result struct{ GatewayState stateOf }
	}
	if err := json.Unmarshal([]byte(p.stdout), &said); err != nil {
		h.t.Fatalf("%v\n%s\n%s", err, p.stdout, p.stderr)
	}
	if said.Result.GatewayState.Status == "" {
		h.t.Fatalf("no word on the gateway's state:\n%s\n%s", p.stdout, p.stderr)
	}
	return said.Result.GatewayState
}

// database makes a database with one word in it below the home.
func (h *host) database(path, word string) string {
	h.t.Helper()
	path = filepath.Join(h.Home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	_ = os.Remove(path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('" + word + "')"); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *host) wordIn(path string) (word string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT word FROM words").Scan(&word); err != nil {
		h.t.Errorf("%s: %v", path, err)
	}
	return word
}

// startWith runs the installed gateway with these arguments, waits until it answers, and writes its marker.
func (h *host) startWith(args ...string) *exec.Cmd {
	h.t.Helper()
	env, err := h.Environment()
	if err != nil {
		h.t.Fatal(err)
	}
	gw := &exec.Cmd{Path: h.GatewayBinary(), Args: append([]string{h.GatewayBinary()}, args...), Env: append(env, "OPENSHELL_SERVER_PORT="+strconv.Itoa(h.Port))}
	if err := gw.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = gw.Process.Kill(); _ = gw.Wait() })
	for until := time.Now().Add(waitLimit); ; time.Sleep(20 * time.Millisecond) {
		if _, err := gateway.Health(h.t.Context(), fmt.Sprintf("127.0.0.1:%d", h.Port)); err == nil {
			break
		}
		if time.Now().After(until) {
			h.t.Fatal("the gateway does not answer")
		}
	}
	h.mark(gw.Process.Pid)
	return gw
}

func TestGatewayStateIsNotRestoredUnderALiveGateway(t *testing.T) {
	h := newHost(t, "0.0.44")
	h.register("alpha")
	h.installGateway("0.0.44")
	own := h.database(filepath.Join(".local/state/nemoclaw", fmt.Sprintf("openshell-docker-gateway-%d", h.Port), "openshell.db"), "own")
	gw := h.startWith()
	if got := h.saveState(); got.Status != "backed_up" {
		t.Fatalf("got %+v", got)
	}
	const toml = ".config/openshell/gateway.toml"
	if err := h.Write(toml, "changed\n"); err != nil {
		t.Fatal(err)
	}
	live := h.sandkeeper("restore", "--gateway-state", h.Gateway(), "--yes")
	if live.ExitCode != 1 || live.Error == nil || live.Error.Kind != "check_failed" || !strings.Contains(live.Error.Message, "only while it is stopped") {
		t.Errorf("under a live gateway: %+v", live)
	}
	_ = gw.Process.Kill()
	_ = gw.Wait()
	if stopped := h.sandkeeper("restore", "--gateway-state", h.Gateway(), "--yes"); !stopped.OK {
		t.Errorf("under a stopped gateway: %+v", stopped.Error)
	}
	if content, err := os.ReadFile(filepath.Join(h.Home, toml)); err != nil || string(content) != "changed\n" {
		t.Errorf("a file that the backup does not have was touched: %q, %v", content, err)
	}
	if got := h.wordIn(own); got != "own" {
		t.Errorf("the database has the word %q", got)
	}
}

// The database that is saved is the one that the gateway was started with, and the one in the usual place is neither saved nor replaced.
func TestGatewayStateIsThatOfDBURL(t *testing.T) {
	h := newHost(t, "0.0.44")
	h.register("alpha")
	h.installGateway("0.0.44")
	usual := h.database(filepath.Join(".local/state/nemoclaw", fmt.Sprintf("openshell-docker-gateway-%d", h.Port), "openshell.db"), "usual")
	own := h.database("elsewhere/own.db", "own")
	gw := h.startWith("--port", strconv.Itoa(h.Port), "--db-url", "sqlite:"+own)
	got := h.saveState()
	if got.Status != "backed_up" {
		t.Fatalf("got %+v", got)
	}
	tar := run(t, os.Environ(), "sh", "-c", "zstd -dc '"+got.Backup.Path+"/archive.tar.zst' | tar xO layout.json")
	if !strings.Contains(tar.stdout, `"database/openshell.db": "`+own+`"`) {
		t.Errorf("saved from elsewhere: %s%s", tar.stdout, tar.stderr)
	}
	_ = gw.Process.Kill()
	_ = gw.Wait()
	back := h.sandkeeper("restore", "--gateway-state", h.Gateway(), "--yes")
	if back.OK || back.Error == nil || !strings.Contains(back.Error.Message, own) || !strings.Contains(back.Error.Message, usual) {
		t.Errorf("a restore into another database: %+v", back)
	}
	if got := h.wordIn(usual); got != "usual" {
		t.Errorf("the database in the usual place has the word %q", got)
	}
}
