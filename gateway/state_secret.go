package gateway

import (
	"bytes"
	"crypto/x509"
	"path/filepath"
	"strings"

	"sandkeeper/internal/pattern"
)

// SecretFile reports whether a file of a gateway's state is a credential: a private key, a token, a password. Its name
// tells it, also with something after it (tls.key.before-ID, ca.key.bak), or its content does, under any name.
func SecretFile(name string, content []byte) bool {
	base := filepath.Base(name)
	for _, part := range []string{".key", ".jwt", "key-encryption-key", "signing.pem", "edge_token", "oidc_token"} {
		if strings.Contains(base, part) {
			return true
		}
	}
	return bytes.Contains(content, []byte("PRIVATE KEY-----")) || secretText().Match(content) || derKey(content)
}

// secretText is a signed token, a token under its usual name, or an address with a password in it.
var secretText = pattern.Of(`eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.|(?i)(access_token|refresh_token|id_token|client_secret|password)["']?\s*[:=]\s*["']?[^\s"']|[a-z]+://[^/\s:@]+:[^@/\s]+@`)

// derKey reports whether content is a private key in binary form.
func derKey(content []byte) bool {
	if len(content) == 0 || content[0] != 0x30 { // a SEQUENCE, as every such key is
		return false
	}
	if _, err := x509.ParsePKCS8PrivateKey(content); err == nil {
		return true
	}
	if _, err := x509.ParseECPrivateKey(content); err == nil {
		return true
	}
	_, err := x509.ParsePKCS1PrivateKey(content)
	return err == nil
}
