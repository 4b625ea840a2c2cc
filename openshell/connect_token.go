package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	headers "google.golang.org/grpc/metadata"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
)

// bearer is the token that a gateway wants beside TLS, or "". Registrations without an auth mode, with "mtls" and with
// "plaintext" need none; "cloudflare_jwt" is a tunnel of the CLI's own; "oidc", and modes that we do not know, use the
// token that the CLI has stored.
func bearer(e env.Env, r Registration, target endpoint) (string, error) {
	fail := func(kind ConnectKind, object string, err error) (string, error) {
		return "", &ConnectError{Gateway: r.Name, Endpoint: r.Endpoint, Object: object, Kind: kind, Err: err}
	}
	switch r.Auth {
	case "", "mtls", "plaintext":
		return "", nil
	case "cloudflare_jwt":
		return fail(UnsupportedAuth, "", errors.New("sandkeeper must run where the gateway can be reached directly"))
	}

	token, path, err := storedToken(e, r.Name)
	if err != nil {
		return fail(Unauthenticated, path, err)
	}
	if !target.tls && !target.loopback() {
		return fail(UnsupportedAuth, path, errors.New("the token is not sent unencrypted to another host"))
	}
	return token, nil
}

// storedToken reads oidc_token.json, else edge_token, of the user or the system. Its errors never hold what the files
// hold.
func storedToken(e env.Env, gateway string) (token, path string, err error) {
	for _, dir := range configDirs(e) {
		for _, file := range []string{"oidc_token.json", "edge_token"} {
			path = filepath.Join(dir, "gateways", gateway, file)
			content, err := homefile.Read(e.Home(), path, credentialLimit)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", path, unreadableFile(err)
			}
			token, err = tokenIn(file, content, time.Now())
			return token, path, err
		}
	}
	return "", filepath.Join(configDirs(e)[0], "gateways", gateway, "oidc_token.json"), fs.ErrNotExist
}

// tokenIn reads a token file. oidc_token.json is {"access_token":…,"expires_at":<unix seconds>,…}, as OpenShell's own
// crates/openshell-bootstrap/src/oidc_token.rs writes it; edge_token is the token itself.
func tokenIn(file string, content []byte, now time.Time) (string, error) {
	token := strings.TrimSpace(string(content))
	if file == "oidc_token.json" {
		var bundle struct {
			Access  string  `json:"access_token"`
			Expires float64 `json:"expires_at"`
		}
		if json.Unmarshal(content, &bundle) != nil {
			return "", errors.New("it is not a stored token")
		}
		if bundle.Expires > 0 && now.After(time.Unix(int64(bundle.Expires), 0)) {
			return "", errors.New("the stored token has expired")
		}
		token = strings.TrimSpace(bundle.Access)
	}

	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("it does not hold a token")
	}
	return token, nil
}

// authorize adds the token to every call.
func authorize(token string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
		return invoke(withToken(ctx, token), method, in, out, conn, o...)
	}
}

// authorizeStream is authorize for calls that stream.
func authorizeStream(token string) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
		return open(withToken(ctx, token), desc, conn, method, o...)
	}
}

func withToken(ctx context.Context, token string) context.Context {
	if token == "" {
		return ctx
	}
	return headers.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}
