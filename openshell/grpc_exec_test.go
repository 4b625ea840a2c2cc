package openshell

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"sandkeeper/openshell/wire"
	"sandkeeper/test/e2e/gateway"
)

// shell is a backend in whose sandboxes a few commands are known.
type shell struct {
	*gateway.Memory
	asked []string
}

func (s *shell) Exec(ctx context.Context, sandbox gateway.Sandbox, e gateway.Exec) (int, error) {
	s.asked = append(s.asked, sandbox.Name+": "+strings.Join(e.Argv, " "))
	switch e.Argv[0] {
	case "hang":
		<-ctx.Done()
		return 0, ctx.Err()
	case "fail":
		_, err := e.Stderr.Write([]byte("no"))
		return 3, err
	case "kill":
		return -1, nil
	case "flood":
		for range 20 {
			if _, err := e.Stdout.Write(make([]byte, 1<<20)); err != nil {
				return 0, err
			}
		}
	}
	_, err := e.Stdout.Write([]byte("openclaw "))
	if err == nil {
		_, err = e.Stdout.Write([]byte("2026.6.1\n"))
	}
	return 0, err
}

func TestExecSandbox(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.4"} {
		t.Run(version, func(t *testing.T) {
			backend := &shell{Memory: twoSandboxes()}
			server := &gateway.Server{Version: version, Backend: backend, Token: "s3cret"}
			p := newPKI(t)
			e := knowing(t, serve(t, server, p.server(t, tls.NoClientCert)), "oidc")
			put(t, gatewayFile(e, "mtls/ca.crt"), string(p.CA))
			put(t, gatewayFile(e, "oidc_token.json"), `{"access_token":"s3cret"}`)
			api, err := Connect(t.Context(), e, "gw", "")
			if err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			for _, c := range []struct {
				argv, out string
				exit      int
			}{{"openclaw --version", "openclaw 2026.6.1\n", 0}, {"fail", "", 3}, {"kill", "", -1}} {
				out, exit, err := api.ExecSandbox(t.Context(), "id-a", "alpha", strings.Fields(c.argv))
				if err != nil || string(out) != c.out || exit != c.exit {
					t.Errorf("%s: %q, exit %d, %v", c.argv, out, exit, err)
				}
			}
			if backend.asked[0] != "alpha: openclaw --version" {
				t.Errorf("asked %q", backend.asked)
			}
			if _, _, err := api.ExecSandbox(t.Context(), "id-x", "nobody", []string{"true"}); err == nil || !strings.Contains(err.Error(), "not found") {
				t.Errorf("a sandbox that is not there: %v", err)
			}
			if _, _, err := api.ExecSandbox(t.Context(), "id-a", "alpha", []string{"flood"}); err == nil || !strings.Contains(err.Error(), "prints too much") {
				t.Errorf("a flood: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, err := api.ExecSandbox(ctx, "id-a", "alpha", []string{"hang"}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a command that hangs: %v", err)
			}
		})
	}
}

func FuzzReadExecEvent(f *testing.F) {
	f.Add([]byte{0x0a, 3, 0x0a, 1, 'x'})
	f.Add([]byte{0x1a, 2, 0x08, 3})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = wire.ReadExecEvent(b) })
}
