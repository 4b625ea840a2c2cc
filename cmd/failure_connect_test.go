package cmd

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sandkeeper/openshell"
)

// A gateway whose API cannot be used is exit 5 with a kind of the contract and the next command, however deep the error lies.
func TestConnectErrorsKeepTheirKind(t *testing.T) {
	for kind, want := range map[openshell.ConnectKind]string{
		openshell.NotRegistered: "gateway_not_registered", openshell.NoClientCertificate: "tls_client_cert",
		openshell.UntrustedGateway: "tls_trust", openshell.Unauthenticated: "auth", openshell.UnsupportedAuth: "auth",
		openshell.WrongEndpoint: "wrong_endpoint", openshell.Unreachable: "gateway_unreachable", openshell.VersionChanged: "unverified",
	} {
		err := &openshell.ConnectError{Gateway: "nemoclaw", Endpoint: "https://127.0.0.1:8080", Kind: kind, Err: errors.New("why")}
		f := failureOf(fmt.Errorf("recipe of sandbox %q: %w", "alpha", err))
		if f.Code != ExitUnreachable || f.Kind != want || f.Hint == "" {
			t.Errorf("%s: exit %d, kind %q, hint %q; want 5 and %q", kind, f.Code, f.Kind, f.Hint, want)
		}
	}
}

// A port that is none is said once, with what a port is.
func TestAPortThatIsNoneIsSaidOnce(t *testing.T) {
	for _, line := range []string{"gateway status", "gateway wait", "status"} {
		code, _, stderr := invoke(t, []string{"NEMOCLAW_GATEWAY_PORT=99999"}, strings.Fields(line)...)
		if code != ExitUsage || strings.Count(stderr, "99999") != 1 || !strings.Contains(stderr, "give a port from 1024 to 65535") {
			t.Errorf("%s: exit %d\n%s", line, code, stderr)
		}
	}
}
