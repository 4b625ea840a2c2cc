package gateway

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// waiting is a wait for a gateway whose port the test itself listens on, and whose answers it gives.
func waiting(t *testing.T) (Waiting, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	name := nemoclawName(port)
	o := Options{Env: env.Parse([]string{"HOME=" + t.TempDir()}), UID: os.Getuid(), Gateway: name}
	return Waiting{Options: o, Timeout: 20 * time.Second, ask: serves("0.0.44")}, name
}

func serves(version string) func(context.Context) Served {
	return func(context.Context) Served {
		return Served{Answered: true, Served: drift.Served{Evidence: drift.Evidence{State: drift.Known, Version: parsed(version)}}}
	}
}

// sleeper starts a process that calls itself the gateway called name. ended waits until it is dead; reap also takes it from the table.
func sleeper(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	port, _ := nemoclawPort(name)
	command := &exec.Cmd{Path: "/bin/sleep", Args: []string{"openshell-gateway[nemoclaw=" + name + ";port=" + strconv.Itoa(port) + "]", "60"}}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	// The kernel tells the parent that the program runs before the new command line can be read.
	for line := filepath.Join("/proc", strconv.Itoa(command.Process.Pid), "cmdline"); ; time.Sleep(time.Millisecond) {
		if content, err := os.ReadFile(line); err != nil || len(content) > 0 {
			return command
		}
	}
}

// end kills a process; without reap it stays a zombie.
func end(t *testing.T, command *exec.Cmd, reap bool) {
	t.Helper()
	if err := command.Process.Kill(); err != nil {
		t.Error(err)
	}
	if reap {
		_ = command.Wait()
		return
	}
	for stat := filepath.Join("/proc", strconv.Itoa(command.Process.Pid), "stat"); ; time.Sleep(time.Millisecond) {
		content, err := os.ReadFile(stat)
		if err != nil || strings.Contains(string(content), ") Z ") {
			return
		}
	}
}

// The promise: a gateway that dies between the probes and the verdict is never ready.
func TestWaitNeverTakesAGatewayThatDiedForReady(t *testing.T) {
	for round := range 200 {
		w, name := waiting(t)
		command := sleeper(t, name)
		w.probed = func() { end(t, command, round%2 == 0) }
		r := Wait(t.Context(), w)
		if r.Ready || r.State != HasExited || r.PID != command.Process.Pid || !strings.Contains(r.Reason, "has ended") {
			t.Fatalf("round %d: %+v", round, r)
		}
	}
}

func TestWaitTakesALiveGatewayForReady(t *testing.T) {
	w, name := waiting(t)
	command := sleeper(t, name)
	w.Settle = 300 * time.Millisecond
	r := Wait(t.Context(), w)
	if !r.Ready || r.Version != "0.0.44" || r.PID != command.Process.Pid || r.SettledFor < 300 || r.Polls < 2 {
		t.Errorf("got %+v", r)
	}
}

// A gateway that was ready and dies while it has to stay so is not ready, and its last words are shown.
func TestWaitEndsWithTheProcess(t *testing.T) {
	w, name := waiting(t)
	command := sleeper(t, name)
	dir, _ := w.stateDir(ChooseTarget(t.Context(), w.Options))
	log := filepath.Join(dir, "openshell-gateway.log")
	parents(t, log)
	words := strings.Repeat("older\n", 5000) + "\x1b[31mError\x1b[0m: execution error: migration 6 was previously applied but is missing\n\n"
	if err := os.WriteFile(log, []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Settle = time.Hour
	go func() {
		time.Sleep(700 * time.Millisecond)
		end(t, command, true)
	}()
	start := time.Now()
	r := Wait(t.Context(), w)
	if r.Ready || r.State != HasExited || r.LogPath != log || len(r.Log) != logLines {
		t.Fatalf("got %+v", r)
	}
	if last := r.Log[logLines-1]; last != "Error: execution error: migration 6 was previously applied but is missing" {
		t.Errorf("the last line is %q", last)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("it took %s to notice", took)
	}
}

// A process that dies while the CLI is still being asked ends the wait without waiting for the CLI.
func TestWaitDoesNotWaitForAProbeOfADeadGateway(t *testing.T) {
	w, name := waiting(t)
	command := sleeper(t, name)
	w.ask = func(ctx context.Context) Served {
		end(t, command, true)
		<-ctx.Done()
		return Served{}
	}
	if r := Wait(t.Context(), w); r.State != HasExited || r.WaitedMs > 10_000 {
		t.Errorf("got %+v", r)
	}
}

// A gateway that starts later is adopted, and watched from then on.
func TestWaitAdoptsAProcessThatComesLater(t *testing.T) {
	w, name := waiting(t)
	var command *exec.Cmd
	w.ask = func(ctx context.Context) Served {
		if command == nil {
			command = sleeper(t, name)
		}
		return serves("0.0.44")(ctx)
	}
	r := Wait(t.Context(), w)
	if !r.Ready || r.PID != command.Process.Pid || r.Polls != 1 {
		t.Errorf("got %+v, want it ready with process %d, not by the look before that was watched", r, command.Process.Pid)
	}
}

func TestWaitWithoutAProcess(t *testing.T) {
	w, _ := waiting(t)
	if r := Wait(t.Context(), w); !r.Ready || r.PID != 0 || !strings.Contains(r.JudgedBy, "no process of it can be seen") {
		t.Errorf("got %+v", r)
	}
	w.Timeout = 2 * time.Second
	w.ask = func(context.Context) Served {
		return Served{Served: drift.Served{Evidence: unknown("connection refused")}}
	}
	if r := Wait(t.Context(), w); r.Ready || r.State != NotReady || r.Reason != "connection refused" {
		t.Errorf("without an answer: %+v", r)
	}
	closed, _ := waiting(t)
	closed.Gateway, closed.Timeout = "nemoclaw-1", 2*time.Second
	if r := Wait(t.Context(), closed); r.State != NotReady || !strings.Contains(r.Reason, "nothing accepts at 127.0.0.1:1") {
		t.Errorf("with a closed port: %+v", r)
	}
	bad, _ := waiting(t)
	bad.Gateway = "../x"
	if r := Wait(t.Context(), bad); r.State != BadTarget || r.Err == nil {
		t.Errorf("a bad name: %+v", r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := Wait(ctx, w); r.Ready || r.State != Interrupted {
		t.Errorf("interrupted: %+v", r)
	}
}

// Where no process can be seen, a gateway that dies between its answer and the verdict is still not ready: its port is asked again.
func TestWaitAsksThePortAgainWhenNobodyIsWatched(t *testing.T) {
	w, _ := waiting(t)
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway, w.Timeout = "far", 4*time.Second
	register(t, w.Env, "far", "http://"+door.Addr().String())
	w.probed = func() { _ = door.Close() }
	if r := Wait(t.Context(), w); r.Ready || r.State != NotReady || !strings.Contains(r.Reason, "nothing accepts") {
		t.Errorf("got %+v", r)
	}
}

func register(t *testing.T, e env.Env, name, endpoint string) {
	t.Helper()
	dir := filepath.Join(e.ConfigHome(), "openshell/gateways", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf(`{"name":%q,"gateway_endpoint":%q}`, name, endpoint)
	if err := os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
