package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/test/e2e/gateway"
)

// secureHost is a recipeHost whose gateway wants to know who asks.
type secureHost struct {
	*recipeHost
	ours, theirs *gateway.PKI // theirs is another host's
}

const bearerToken = "s3cret-token"

// newSecureHost has a gateway behind TLS: with client certificates for "mtls", with a bearer token for "oidc".
func newSecureHost(t *testing.T, version, auth string) *secureHost {
	t.Helper()
	h := &secureHost{}
	var err error
	if h.ours, err = gateway.NewPKI(); err != nil {
		t.Fatal(err)
	}
	if h.theirs, err = gateway.NewPKI(); err != nil {
		t.Fatal(err)
	}
	h.recipeHost = newRecipeHost(t, version, func(s *gateway.Server) {
		clients := tls.RequireAndVerifyClientCert
		if auth == "oidc" {
			clients, s.Token = tls.NoClientCert, bearerToken
		}
		if s.TLS, err = h.ours.Server(clients); err != nil {
			t.Fatal(err)
		}
	})
	metadata, err := os.ReadFile(h.file("metadata.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("http://", "https://", `"auth_mode":"plaintext"`, fmt.Sprintf(`"auth_mode":%q`, auth)).Replace(string(metadata))
	write(t, h.file("metadata.json"), changed)
	return h
}

// file is one of those that the command line keeps for its gateway.
func (h *secureHost) file(name string) string {
	path := filepath.Join(h.config(), "openshell/gateways/nemoclaw", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// trust installs the authority that the gateway's certificate is held against; certify our own certificate.
func (h *secureHost) trust(p *gateway.PKI) { write(h.t, h.file("mtls/ca.crt"), string(p.CA)) }

func (h *secureHost) certify(p *gateway.PKI) {
	write(h.t, h.file("mtls/tls.crt"), string(p.ClientCert))
	write(h.t, h.file("mtls/tls.key"), string(p.ClientKey))
}

// login stores a token as `openshell gateway login` does.
func (h *secureHost) login(token string, expires time.Time) {
	write(h.t, h.file("oidc_token.json"), fmt.Sprintf(`{"access_token":%q,"expires_at":%d,"issuer":"https://issuer.invalid","client_id":"openshell-cli"}`, token, expires.Unix()))
}

// TestSecuredGateways saves and upgrades a sandbox of a gateway that wants a client certificate, and of one that wants a token, with the
// command line's own configuration and nothing else.
func TestSecuredGateways(t *testing.T) {
	for auth, prepare := range map[string]func(*secureHost){
		"mtls": func(h *secureHost) { h.trust(h.ours); h.certify(h.ours) },
		"oidc": func(h *secureHost) { h.trust(h.ours); h.login(bearerToken, time.Now().Add(time.Hour)) },
	} {
		t.Run(auth, func(t *testing.T) {
			h := newSecureHost(t, "0.0.110", auth)
			prepare(h)
			kept, _ := h.saves()
			if diff := cmp.Diff([]string{"nvidia-prod", "github"}, kept.Providers); diff != "" || kept.Untold != "" {
				t.Errorf("%s, providers (-want +got):\n%s", kept.Untold, diff)
			}
			h.outcome(h.upgrade(), 0, "upgraded")
			h.shows(h.version)
		})
	}
}

// TestSecuredGatewaysThatDoNotLetUsIn holds what is said then, and that nothing is touched.
func TestSecuredGatewaysThatDoNotLetUsIn(t *testing.T) {
	for name, c := range map[string]struct {
		auth    string
		prepare func(*secureHost)
		kind    string
	}{
		// The command line reads the CA first, and misses that.
		"no certificate": {"mtls", func(*secureHost) {}, "tls_trust"},
		// TLS 1.3 refuses a certificate after the handshake: now and then the connection is gone before the reason was read.
		"another's certificate": {"mtls", func(h *secureHost) { h.trust(h.ours); h.certify(h.theirs) }, "tls_client_cert or gateway_unreachable"},
		"another's authority":   {"mtls", func(h *secureHost) { h.trust(h.theirs); h.certify(h.ours) }, "tls_trust"},
		"expired token":         {"oidc", func(h *secureHost) { h.trust(h.ours); h.login("s3cret-of-last-week", time.Now().Add(-time.Hour)) }, "auth"},
		"refused token":         {"oidc", func(h *secureHost) { h.trust(h.ours); h.login("s3cret-of-yesterday", time.Now().Add(time.Hour)) }, "auth"},
		// Without a token the command line falls back to a client certificate, and misses that.
		"no token": {"oidc", func(h *secureHost) { h.trust(h.ours) }, "tls_client_cert"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newSecureHost(t, "0.0.110", c.auth)
			c.prepare(h)
			root := filepath.Join(t.TempDir(), "backups")
			engine, files := h.engineState(), tree(t, h.home)
			for _, args := range [][]string{{"backup-all", "--backup-dir", root}, {"upgrade-sandboxes", "--yes", "--allow-unverified", "--backup-dir", root}} {
				got := h.document(args...)
				if got.OK || got.Error == nil || !slices.Contains(strings.Split(c.kind, " or "), got.Error.Kind) {
					t.Errorf("%v: exit %d, error %+v, want %s", args[0], got.ExitCode, got.Error, c.kind)
				}
				if got.Error != nil && strings.Contains(fmt.Sprint(got.Error), "s3cret") {
					t.Errorf("%v shows a token: %+v", args[0], got.Error)
				}
				t.Logf("%s: exit %d, %+v", args[0], got.ExitCode, got.Error)
			}
			if diff := cmp.Diff(engine, h.engineState()); diff != "" {
				t.Errorf("the engine's state (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(files, tree(t, h.home)); diff != "" {
				t.Errorf("the home (-before +after):\n%s", diff)
			}
			if _, err := os.Stat(root); err == nil {
				t.Error("it made a folder for backups")
			}
		})
	}
}
