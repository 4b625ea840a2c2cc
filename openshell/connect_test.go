package openshell

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	headers "google.golang.org/grpc/metadata"

	"sandkeeper/internal/env"
	"sandkeeper/test/e2e/gateway"
)

// refusal connects, and wants it to fail for a reason; secrets must be nowhere in the error.
func refusal(t *testing.T, e env.Env, name string, want ConnectKind, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	api, err := Connect(ctx, e, name, "")
	if err == nil {
		api.Close()
	}
	failure, ok := errors.AsType[*ConnectError](err)
	if !ok || failure.Kind != want {
		t.Errorf("got %v, want %s", err, want)
		return
	}
	for _, part := range append(parts, fmt.Sprintf("%q", name), "run `"+failure.Next()+"`") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q shows a secret, or more than a line", err)
	}
}

func TestConnectWithoutUsableRegistration(t *testing.T) {
	e := knowing(t, "http://127.0.0.1:1", "")
	refusal(t, e, "other", NotRegistered, "openshell gateway list")
	refusal(t, e, "../gw", BadRegistration)
	for _, content := range []string{
		"nonsense", `{"name":"gw"}`, `{"name":"gw","gateway_endpoint":"ftp://host:1"}`, `{"name":"gw","gateway_endpoint":"://s3cret@"}`,
		`{"name":"gw","gateway_endpoint":"unix:///run/x"}`,
	} {
		put(t, gatewayFile(e, "metadata.json"), content)
		refusal(t, e, "gw", BadRegistration)
	}
	put(t, gatewayFile(e, "metadata.json"), `{"name":"gw","gateway_endpoint":"http://user:s3cret@127.0.0.1:1/s3cret"}`)
	refusal(t, e, "gw", Unreachable, "http://127.0.0.1:1", "sandkeeper gateway status -g gw")
}

func TestConnectOverMTLS(t *testing.T) {
	ours, theirs := newPKI(t), newPKI(t)
	url := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, ours.server(t, tls.RequireAndVerifyClientCert))
	e := knowing(t, url, "mtls")
	refusal(t, e, "gw", NoClientCertificate, "gateways/gw/mtls", "ca.crt, tls.crt, tls.key", "openshell status -g gw")
	insecure := e.With("OPENSHELL_GATEWAY_INSECURE=true")
	refusal(t, insecure, "gw", NoClientCertificate, "certificate required")

	theirs.install(t, e, "gw")
	refusal(t, e, "gw", UntrustedGateway, "x509")
	refusal(t, insecure, "gw", NoClientCertificate)

	ours.install(t, e, "gw")
	api, err := Connect(t.Context(), e, "gw", "0.0.110")
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := api.Sandboxes(t.Context()); err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	api.Close()

	mtls := filepath.Join(e.ConfigHome(), "openshell/gateways/gw/mtls")
	put(t, filepath.Join(mtls, "tls.key"), "s3cret")
	refusal(t, e, "gw", NoClientCertificate, "tls.key")
	put(t, filepath.Join(mtls, "ca.crt"), "s3cret")
	refusal(t, e, "gw", UntrustedGateway, "ca.crt")
	if err := os.Remove(filepath.Join(mtls, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	refusal(t, e, "gw", UntrustedGateway, "ca.crt: file does not exist")
	put(t, filepath.Join(mtls, "ca.crt"), string(ours.CA))
	if err := os.Remove(filepath.Join(mtls, "tls.crt")); err != nil {
		t.Fatal(err)
	}
	refusal(t, e, "gw", NoClientCertificate, "tls.crt")
}

func TestCertificateMustBearTheHostOfTheEndpoint(t *testing.T) {
	p := newPKI(t)
	url := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, p.server(t, tls.RequireAndVerifyClientCert))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "https://"))
	for host, trusted := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.0.0.2": false} {
		e := knowing(t, "https://"+host+":"+port, "")
		p.install(t, e, "gw")
		if !trusted {
			if l, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
				defer l.Close()
				go forward(l, "127.0.0.1:"+port)
			}
			refusal(t, e, "gw", UntrustedGateway)
			continue
		}
		api, err := Connect(t.Context(), e, "gw", "")
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		api.Close()
	}
}

// forward passes connections on.
func forward(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			in.Close()
			return
		}
		go func() { _, _ = out.(*net.TCPConn).ReadFrom(in); out.Close() }()
		go func() { _, _ = in.(*net.TCPConn).ReadFrom(out); in.Close() }()
	}
}

func TestInsecureDoesNotAskWhoTheGatewayIs(t *testing.T) {
	ours := newPKI(t)
	url := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, ours.server(t, tls.NoClientCert))
	for _, said := range []string{"1", "true"} {
		api, err := Connect(t.Context(), knowing(t, url, "mtls").With("OPENSHELL_GATEWAY_INSECURE="+said), "gw", "")
		if err != nil {
			t.Fatal(err)
		}
		api.Close()
	}
	refusal(t, knowing(t, url, "mtls").With("OPENSHELL_GATEWAY_INSECURE=0"), "gw", NoClientCertificate)
}

func TestCertificatesLieUnderTheSafeName(t *testing.T) {
	p := newPKI(t)
	url := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, p.server(t, tls.RequireAndVerifyClientCert))
	e := knowing(t, "http://unused:1", "")
	put(t, filepath.Join(e.ConfigHome(), "openshell/gateways/my gätewäy/metadata.json"), `{"name":"x","gateway_endpoint":"`+url+`"}`)
	refusal(t, e, "my gätewäy", NoClientCertificate, "gateways/my_g_tew_y/mtls", "openshell status -g 'my gätewäy'")
	p.install(t, e, "my_g_tew_y")
	api, err := Connect(t.Context(), e, "my gätewäy", "")
	if err != nil {
		t.Fatal(err)
	}
	api.Close()
}

func TestCredentialsAreNotReadFromOutsideTheHome(t *testing.T) {
	p, outside := newPKI(t), t.TempDir()
	url := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, p.server(t, tls.RequireAndVerifyClientCert))
	e := knowing(t, url, "")
	p.install(t, env.Parse([]string{"HOME=" + outside}), "gw")
	if err := os.Symlink(filepath.Join(outside, ".config/openshell/gateways/gw/mtls"), gatewayFile(e, "mtls")); err != nil {
		t.Fatal(err)
	}
	refusal(t, e, "gw", NoClientCertificate)
}

func TestBearerToken(t *testing.T) {
	var seen []string
	answer := healthy("0.0.110")
	url := fake{"Health": func(ctx context.Context, in []byte) ([]byte, error) {
		got, _ := headers.FromIncomingContext(ctx)
		seen = got.Get("authorization")
		return answer(ctx, in)
	}}.serve(t, nil)
	later, earlier := time.Now().Add(time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	for name, c := range map[string]struct {
		file, content, want string
	}{
		"oidc":             {"oidc_token.json", fmt.Sprintf(`{"access_token":"s3cret","expires_at":%d,"refresh_token":"s3cret2"}`, later), "Bearer s3cret"},
		"without expiry":   {"oidc_token.json", `{"access_token":"s3cret","issuer":"https://i"}`, "Bearer s3cret"},
		"edge":             {"edge_token", "s3cret\n", "Bearer s3cret"},
		"expired":          {"oidc_token.json", fmt.Sprintf(`{"access_token":"s3cret","expires_at":%d}`, earlier), ""},
		"not JSON":         {"oidc_token.json", `s3cret`, ""},
		"empty":            {"oidc_token.json", `{}`, ""},
		"two lines":        {"edge_token", "s3cret\ns3cret", ""},
		"missing":          {"unrelated", "", ""},
		"control sequence": {"oidc_token.json", `{"access_token":"s3cret\u001b"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := knowing(t, url, "oidc")
			put(t, gatewayFile(e, c.file), c.content)
			if c.want == "" {
				refusal(t, e, "gw", Unauthenticated, "gateways/gw/", "openshell gateway login gw")
				return
			}
			api, err := Connect(t.Context(), e, "gw", "")
			if err != nil || len(seen) != 1 || seen[0] != c.want {
				t.Fatalf("the gateway saw %q, %v", seen, err)
			}
			api.Close()
		})
	}
}

func TestTokenOverTLSNeedsNoClientCertificate(t *testing.T) {
	p := newPKI(t)
	e := knowing(t, fake{"Health": healthy("0.1.2")}.serve(t, p.server(t, tls.NoClientCert)), "oidc")
	put(t, gatewayFile(e, "oidc_token.json"), `{"access_token":"s3cret"}`)
	refusal(t, e, "gw", UntrustedGateway)
	put(t, gatewayFile(e, "mtls/ca.crt"), string(p.CA))
	api, err := Connect(t.Context(), e, "gw", "")
	if err != nil {
		t.Fatal(err)
	}
	api.Close()
}

func TestAuthThatIsNotOurs(t *testing.T) {
	e := knowing(t, "https://edge.example", "cloudflare_jwt")
	put(t, gatewayFile(e, "edge_token"), "s3cret")
	refusal(t, e, "gw", UnsupportedAuth, "edge")
	e = knowing(t, "http://192.0.2.7:8080", "oidc")
	put(t, gatewayFile(e, "oidc_token.json"), `{"access_token":"s3cret"}`)
	refusal(t, e, "gw", UnsupportedAuth, "unencrypted")
	refusal(t, knowing(t, fake{"Health": refusing(codes.Unauthenticated, "who are you?")}.serve(t, nil), ""), "gw", Unauthenticated, "who are you?")
}

func TestConnectToSomethingElse(t *testing.T) {
	p := newPKI(t)
	plain := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, nil)
	e := knowing(t, strings.Replace(plain, "http:", "https:", 1), "")
	p.install(t, e, "gw")
	refusal(t, e, "gw", WrongEndpoint)

	secure := serve(t, &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}, p.server(t, tls.NoClientCert))
	refusal(t, knowing(t, strings.Replace(secure, "https:", "http:", 1), ""), "gw", WrongEndpoint)

	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	refusal(t, knowing(t, web.URL, ""), "gw", WrongEndpoint)
	refusal(t, knowing(t, fake{}.serve(t, nil), ""), "gw", WrongEndpoint, "Unimplemented")
	refusal(t, knowing(t, fake{"Health": func(context.Context, []byte) ([]byte, error) { return []byte("nonsense"), nil }}.serve(t, nil), ""), "gw", WrongEndpoint)
	refusal(t, knowing(t, fake{"Health": refusing(codes.PermissionDenied, "403")}.serve(t, nil), ""), "gw", Unauthenticated)

	l, closed := listen(t, nil)
	l.Close()
	refusal(t, knowing(t, closed, ""), "gw", Unreachable, "connection refused")
}

// Neither a port that accepts and says nothing nor a gateway that never answers holds us longer than the limit.
func TestSilenceIsBounded(t *testing.T) {
	_, mute := listen(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := Connect(ctx, knowing(t, mute, ""), "gw", "")
	if failure, ok := errors.AsType[*ConnectError](err); !ok || failure.Kind != Unreachable || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}

	hang := func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	api := connect(t, fake{"Health": healthy("0.0.110"), "ListSandboxes": hang, "DeleteSandbox": hang}.serve(t, nil))
	api.ReadTimeout, api.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	_, list := api.Sandboxes(t.Context())
	_, remove := api.DeleteSandbox(t.Context(), "alpha")
	for _, err := range []error{list, remove} {
		if failure, ok := errors.AsType[*ConnectError](err); !ok || failure.Kind != Unreachable || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 100ms") {
			t.Errorf("a gateway that hangs: %v", err)
		}
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := api.Sandboxes(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gave up: %v", err)
	}
	api.ReadTimeout = time.Minute
	limited, end := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("not Ready within 50ms"))
	defer end()
	if _, err := api.Sandboxes(limited); err == nil || strings.Contains(err.Error(), "cannot be reached") || !strings.Contains(err.Error(), "not Ready within 50ms") {
		t.Errorf("a poll that hit its own limit: %v", err)
	}
}

func TestGatewayThatDies(t *testing.T) {
	l, url := listen(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	server := &gateway.Server{Version: "0.0.110", Backend: twoSandboxes()}
	go func() { done <- server.Serve(ctx, l) }()
	api := connect(t, url)
	stop()
	<-done
	if _, err := api.Sandboxes(t.Context()); !Transient(err) {
		t.Errorf("a gateway that died: %v", err)
	}
}
