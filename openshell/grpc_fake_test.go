package openshell

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sandkeeper/internal/env"
	"sandkeeper/test/e2e/gateway"
)

// listen is a listener on a port of the system's choice, with TLS when a configuration is given.
func listen(t *testing.T, config *tls.Config) (l net.Listener, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if config == nil {
		return l, "http://" + l.Addr().String()
	}
	return tls.NewListener(l, config), "https://" + l.Addr().String()
}

// serve runs the test gateway until the test ends.
func serve(t *testing.T, s *gateway.Server, config *tls.Config) (url string) {
	t.Helper()
	l, url := listen(t, config)
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { _ = s.Serve(ctx, l) })
	t.Cleanup(func() { stop(); wait.Wait() })
	return url
}

// fake is a gateway that answers what a test tells it to: for what the test gateway does not do.
type fake map[string]func(ctx context.Context, in []byte) ([]byte, error)

func (f fake) serve(t *testing.T, config *tls.Config) (url string) {
	t.Helper()
	l, url := listen(t, config)
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		in := message(nil)
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		answer, known := f[path.Base(method)]
		if !known {
			return status.Error(codes.Unimplemented, "")
		}
		out, err := answer(stream.Context(), in)
		if err != nil {
			return err
		}
		reply := message(out)
		return stream.SendMsg(&reply)
	}))
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); wait.Wait() })
	return url
}

// healthy answers Health with a version.
func healthy(version string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) {
		return append([]byte{0x08, 1, 0x12, byte(len(version))}, version...), nil
	}
}

// refusing answers everything with one status.
func refusing(code codes.Code, text string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return nil, status.Error(code, text) }
}

// knowing is an environment whose CLI knows a gateway "gw" at url.
func knowing(t *testing.T, url, auth string) env.Env {
	t.Helper()
	e := env.Parse([]string{"HOME=" + t.TempDir(), "OPENSHELL_SYSTEM_GATEWAY_DIR=" + t.TempDir()})
	put(t, gatewayFile(e, "metadata.json"), fmt.Sprintf(`{"name":"gw","gateway_endpoint":%q,"auth_mode":%q}`, url, auth))
	return e
}

func gatewayFile(e env.Env, name string) string {
	return filepath.Join(e.ConfigHome(), "openshell/gateways/gw", name)
}

// connect opens the API of a gateway without TLS.
func connect(t *testing.T, url string) *API {
	t.Helper()
	api, err := Connect(t.Context(), knowing(t, url, "plaintext"), "gw", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	api.PollInterval = 5 * time.Millisecond
	return api
}
