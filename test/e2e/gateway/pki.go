package gateway

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
	"time"
)

// PKI is a certificate authority with a certificate for each side of a gateway on this host, all in PEM, valid for an
// hour.
type PKI struct {
	CA                    []byte
	ClientCert, ClientKey []byte

	authority               *x509.Certificate
	key                     *ecdsa.PrivateKey
	gatewayCert, gatewayKey []byte
}

// NewPKI makes one.
func NewPKI() (*PKI, error) {
	p := &PKI{authority: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if p.CA, err = p.sign(p.authority, &p.key.PublicKey); err != nil {
		return nil, err
	}
	if p.ClientCert, p.ClientKey, err = p.leaf(x509.ExtKeyUsageClientAuth); err != nil {
		return nil, err
	}
	p.gatewayCert, p.gatewayKey, err = p.leaf(x509.ExtKeyUsageServerAuth)
	return p, err
}

func (p *PKI) sign(template *x509.Certificate, key *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, p.authority, key, p.key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

func (p *PKI) leaf(usage x509.ExtKeyUsage) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		return nil, nil, err
	}
	cert, err = p.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &own.PublicKey)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// Server is the gateway's side; clients says what it wants of the other.
func (p *PKI) Server(clients tls.ClientAuthType) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(p.gatewayCert, p.gatewayKey)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.CA)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: clients, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}, nil
}
