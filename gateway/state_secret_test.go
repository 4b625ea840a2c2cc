package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestSecretFile(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, test := range []struct {
		name    string
		content string
		want    bool
	}{
		{"tls/ca.key", "", true},
		{"tls/ca.key.before-20261126T101500Z-1f3a", "", true},
		{"config/gateways/x/mtls/tls.key~", "", true},
		{"credentials/key-encryption-key.bin.old", "", true},
		{"tls/jwt/signing.pem", "", true},
		{"config/gateways/x/edge_token", "", true},
		{"config/gateways/x/oidc_token.json.1", "", true},
		{"tls/notes.txt", string(private), true},
		{"tls/blob", string(der), true},
		{"config/x", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzYW5kYm94In0.c2ln", true},
		{"config/x.json", `{"refresh_token": "r"}`, true},
		{"config/gateway.env", "OPENSHELL_DB_URL=postgres://op:hunter2@db/x", true},
		{"config/gateway.toml", "client_secret = \"s\"", true},
		{"config/gateway.toml", "[openshell]\nversion = 1\n", false},
		{"tls/ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n", false},
		{"tls/jwt/public.pem", "-----BEGIN PUBLIC KEY-----\nMIIB\n", false},
		{"config/gateways/x/metadata.json", `{"gateway_endpoint": "https://127.0.0.1:17670", "oidc_client_id": "x"}`, false},
		{"config/active_gateway", "keyless\n", false},
	} {
		if got := SecretFile(test.name, []byte(test.content)); got != test.want {
			t.Errorf("%s with %.40q is secret: %v, want %v", test.name, test.content, got, test.want)
		}
	}
}
