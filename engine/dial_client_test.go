package engine

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// TestDialThroughTLS speaks to an engine behind TLS that knows just enough to be one.
func TestDialThroughTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte("[]"))
	}))
	t.Cleanup(server.Close)
	certificate := server.TLS.Certificates[0]
	own := func(t *testing.T, dir string) { writePEM(t, filepath.Join(dir, "ca.pem"), certificate) }
	other := func(t *testing.T, dir string) { write("no certificate")(t, filepath.Join(dir, "ca.pem")) }
	tests := []struct {
		name  string
		put   func(*testing.T, string)
		tls   bool
		state drift.State
	}{
		{"its own authority", own, true, drift.Known},
		{"no authority that is one", other, true, drift.Unknown},
		{"spoken to in plain", own, false, drift.Unknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			test.put(t, dir)
			keyPair(t, dir, certificate)
			entries := []string{"HOME=" + dir, "DOCKER_CERT_PATH=" + dir, "DOCKER_HOST=tcp://" + server.Listener.Addr().String()}
			if test.tls {
				entries = append(entries, "DOCKER_TLS_VERIFY=1")
			}
			engine, got := Dial(t.Context(), Dialing{Env: env.Parse(entries), Timeout: 20 * time.Second})
			if got.State != test.state {
				t.Errorf("Dial = %+v, want %s", got, test.state)
			}
			if engine != nil {
				engine.Close()
			}
		})
	}
}

func TestDialThroughAContextWithTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Write([]byte("[]"))
	}))
	t.Cleanup(server.Close)
	p := newPlace(t)
	p.context(t, "far", "tcp://"+server.Listener.Addr().String())
	meta, err := filepath.Glob(p.home + "/.docker/contexts/meta/*")
	if err != nil || len(meta) != 1 {
		t.Fatalf("contexts %v, %v", meta, err)
	}
	d := Dialing{Env: env.Parse([]string{"HOME=" + p.home}), Timeout: 20 * time.Second}
	if _, got := Dial(t.Context(), d); got.State != drift.Unknown {
		t.Errorf("Dial without the certificates = %+v, want unknown", got)
	}
	files := filepath.Join(p.home, ".docker/contexts/tls", filepath.Base(meta[0]), "docker/ca.pem")
	parents(t, files)
	writePEM(t, files, server.TLS.Certificates[0])
	engine, got := Dial(t.Context(), d)
	if got.State != drift.Known {
		t.Fatalf("Dial = %+v, want known", got)
	}
	engine.Close()
}

func writePEM(t *testing.T, path string, certificate tls.Certificate) {
	t.Helper()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyPair stores the server's own certificate as the client's.
func keyPair(t *testing.T, dir string, certificate tls.Certificate) {
	t.Helper()
	writePEM(t, filepath.Join(dir, "cert.pem"), certificate)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))(t, filepath.Join(dir, "key.pem"))
}

func TestStreamsAreNotCutOff(t *testing.T) {
	for path, want := range map[string]bool{
		"/v1.41/containers/x/archive": true, "/containers/x/export": true, "/images/get": true, "/containers/json": false,
		"/containers/archive/json": false, "/_ping": false,
	} {
		if got := stream(path); got != want {
			t.Errorf("stream(%s) = %v, want %v", path, got, want)
		}
	}
}
