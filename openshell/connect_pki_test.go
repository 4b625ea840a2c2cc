package openshell

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/internal/env"
)

// pki is a certificate authority with a certificate for each side of a gateway.
type pki struct {
	ca                     *x509.Certificate
	caPEM                  []byte
	caKey                  *ecdsa.PrivateKey
	clientCert, clientKey  []byte
	gatewayCert, gatewayKy []byte
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	p.ca, p.caKey = template, newKey(t)
	p.caPEM = p.sign(t, template, p.caKey)
	p.clientCert, p.clientKey = p.leaf(t, x509.ExtKeyUsageClientAuth)
	p.gatewayCert, p.gatewayKy = p.leaf(t, x509.ExtKeyUsageServerAuth)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *pki) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, &key.PublicKey, p.caKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func (p *pki) leaf(t *testing.T, usage x509.ExtKeyUsage) (cert, key []byte) {
	t.Helper()
	own := newKey(t)
	cert = p.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, own)
	der, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// server is the gateway's side.
func (p *pki) server(t *testing.T, clients tls.ClientAuthType) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(p.gatewayCert, p.gatewayKy)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.caPEM)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: clients, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
}

// install puts the client's side where the CLI keeps it.
func (p *pki) install(t *testing.T, e env.Env, folder string) {
	t.Helper()
	for name, content := range map[string][]byte{"ca.crt": p.caPEM, "tls.crt": p.clientCert, "tls.key": p.clientKey} {
		put(t, filepath.Join(e.ConfigHome(), "openshell/gateways", folder, "mtls", name), string(content))
	}
}
