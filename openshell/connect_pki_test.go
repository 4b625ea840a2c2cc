package openshell

import (
	"crypto/tls"
	"path/filepath"
	"testing"

	"sandkeeper/internal/env"
	"sandkeeper/test/e2e/gateway"
)

// pki is a certificate authority with a certificate for each side of a gateway.
type pki struct{ *gateway.PKI }

func newPKI(t *testing.T) *pki {
	t.Helper()
	made, err := gateway.NewPKI()
	if err != nil {
		t.Fatal(err)
	}
	return &pki{made}
}

// server is the gateway's side.
func (p *pki) server(t *testing.T, clients tls.ClientAuthType) *tls.Config {
	t.Helper()
	config, err := p.Server(clients)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// install puts the client's side where the CLI keeps it.
func (p *pki) install(t *testing.T, e env.Env, folder string) {
	t.Helper()
	for name, content := range map[string][]byte{"ca.crt": p.CA, "tls.crt": p.ClientCert, "tls.key": p.ClientKey} {
		put(t, filepath.Join(e.ConfigHome(), "openshell/gateways", folder, "mtls", name), string(content))
	}
}
