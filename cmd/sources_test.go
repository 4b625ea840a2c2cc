package cmd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// registryAt gives home a registry with one row, so that a gateway is meant.
func registryAt(t *testing.T, home, rows string) {
	t.Helper()
	path := filepath.Join(home, ".nemoclaw", "sandboxes.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"sandboxes": {`+rows+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
}

const alphaRow = `"alpha": {"name": "alpha", "createdAt": "2026-06-02T09:14:55.120Z", "gatewayName": "nemoclaw"}`

// script makes an executable shell script.
func script(t *testing.T, path, body string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// silentEngine is a socket that accepts and never answers; it counts who came.
func silentEngine(t *testing.T) (host string, came *atomic.Int32) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	listener, err := net.Listen("unix", filepath.Join(dir, "d.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	came = &atomic.Int32{}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return "unix://" + listener.Addr().String(), came
}

// An engine that did not answer the preflight is not waited for a second time.
func TestSilentEngineIsWaitedForOnce(t *testing.T) {
	for _, command := range []string{"backup-all", "upgrade-sandboxes --check"} {
		home, bin := t.TempDir(), t.TempDir()
		registryAt(t, home, alphaRow)
		script(t, filepath.Join(bin, "openshell"), "exit 1")
		host, came := silentEngine(t)
		args := append(strings.Fields(command), "--probe-timeout", "300ms")
		code, _, stderr := invoke(t, []string{"HOME=" + home, "PATH=" + bin, "SANDKEEPER_ENGINES=" + host}, args...)
		if code == ExitOK || came.Load() != 1 {
			t.Errorf("%s: exit %d, the engine was asked %d times\n%s", command, code, came.Load(), stderr)
		}
	}
}

// A command line that hung through the whole preflight is not asked for a listing as well.
func TestHangingCommandLineIsWaitedForOnce(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	registryAt(t, home, alphaRow)
	calls := filepath.Join(home, "calls")
	script(t, filepath.Join(bin, "openshell"), `echo "$*" >> '`+calls+`'; exec sleep 60`)
	code, stdout, stderr := invoke(t, []string{"HOME=" + home, "PATH=" + bin + ":/usr/bin:/bin"}, "backup-all", "--probe-timeout", "3s", "--json")
	log, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if code != ExitUnreachable || strings.Contains(string(log), "sandbox list") || !strings.Contains(stdout, `"gateway_unreachable"`) {
		t.Errorf("exit %d, calls:\n%s\n%s%s", code, log, stdout, stderr)
	}
}

// A command line that is there and must not be executed is not called missing.
func TestUntrustedCommandLineIsNotCalledMissing(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	registryAt(t, home, alphaRow)
	path := filepath.Join(bin, "openshell")
	script(t, path, "exit 0")
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := invoke(t, []string{"HOME=" + home, "NEMOCLAW_OPENSHELL_BIN=" + path}, "backup-all")
	last := stderr[strings.LastIndex(stderr, "error: "):]
	if code != ExitUnreachable || strings.Contains(last, "not found") || !strings.Contains(last, "can be written by other users") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	code, stdout, _ := invoke(t, []string{"HOME=" + home}, "backup-all", "--json")
	if code != ExitUnreachable || !strings.Contains(stdout, `"gateway_unreachable"`) || !strings.Contains(stdout, "CLI not found") {
		t.Errorf("without one: exit %d\n%s", code, stdout)
	}
}

// One gateway of several that cannot be asked stops the run, and the hint says how the others are saved.
func TestHintNamesTheOtherGateways(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	registryAt(t, home, alphaRow+`, "beta": {"name": "beta", "createdAt": "2026-06-02T09:14:55.120Z", "gatewayPort": 8091}`)
	script(t, filepath.Join(bin, "openshell"), `case "$*" in
*nemoclaw-8091*) echo "Error: client error (Connect)" >&2; exit 1;;
*"sandbox list"*) printf 'NAME  CREATED  PHASE\nalpha  2026-06-02 09:14:55  Ready\n';;
*) exit 2;;
esac`)
	code, _, stderr := invoke(t, []string{"HOME=" + home, "PATH=" + bin + ":/usr/bin:/bin"}, "backup-all")
	if code != ExitUnreachable || !strings.Contains(stderr, "backup-all -g nemoclaw`") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// What a listing failed of is the kind, in the classes of diagnose; words that say nothing stay a listing that cannot be read.
func TestListingFailureHasItsClass(t *testing.T) {
	for words, want := range map[string]string{
		`Error: code: 'The request does not have valid authentication credentials', message: "missing authorization header"`: "auth",
		`Error: invalid peer certificate: UnknownIssuer`:                                                                     "tls_trust",
		`Error: code: 'Operation is not implemented or not supported', message: ""`:                                          "version_skew_unimplemented",
		`Error: status: Internal, message: "list sandboxes failed: database error: (code: 5) database is locked"`:            "db_locked",
		`Error: something else`: "listing_unreadable",
	} {
		home, bin := t.TempDir(), t.TempDir()
		registryAt(t, home, alphaRow)
		text := filepath.Join(bin, "text")
		if err := os.WriteFile(text, []byte(words+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		script(t, filepath.Join(bin, "openshell"), `case "$*" in *"sandbox list"*) cat '`+text+`' >&2; exit 1;; *) exit 2;; esac`)
		_, stdout, _ := invoke(t, []string{"HOME=" + home, "PATH=" + bin + ":/usr/bin:/bin"}, "backup-all", "--json")
		if !strings.Contains(stdout, `"kind": "`+want+`"`) {
			t.Errorf("%s: want kind %s in\n%s", words, want, stdout[:min(len(stdout), 700)])
		}
	}
}

// An empty registry on a host whose engine is not there is "nothing registered"; one that does not answer proves nothing.
func TestEmptyRegistryWithoutAnEngine(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	registryAt(t, home, "")
	script(t, filepath.Join(bin, "openshell"), "echo called >&2; exit 1")
	code, stdout, _ := invoke(t, []string{"HOME=" + home, "PATH=" + bin}, "backup-all")
	if code != ExitOK || stdout != "No sandboxes registered. Nothing to back up.\n" {
		t.Errorf("no socket: exit %d, %s", code, stdout)
	}
	host, _ := silentEngine(t)
	code, stdout, _ = invoke(t, []string{"HOME=" + home, "PATH=" + bin, "SANDKEEPER_ENGINES=" + host}, "backup-all", "--probe-timeout", "200ms")
	if code == ExitOK || strings.Contains(stdout, "Nothing to back up") {
		t.Errorf("silent engine: exit %d, %s", code, stdout)
	}
}

// Where nothing is left to do, the result says so in words, not with an empty line.
func TestNothingLeftIsSaid(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "running", "x")
	if out := h.mustRun("backup-all", "--offline", "--exclude", "alpha"); !strings.HasPrefix(out, "No sandbox to back up.\n") {
		t.Errorf("got %q", out)
	}
}
