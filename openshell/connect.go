package openshell

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
	"sandkeeper/openshell/wire"
)

// answerLimit is how large one answer may be. Every sandbox carries its policy, so that a page of 100 can pass grpc's
// own 4 MiB.
const answerLimit = 64 << 20

// connectTimeout is how long a connection may take to be made: the CLI's own limit (OpenShell's
// crates/openshell-cli/src/tls.rs).
const connectTimeout = 10 * time.Second

// Connect opens the API of a gateway that the openshell CLI knows, with the CLI's own endpoint and credentials
// (docs/facts/openshell.md 1.4), and asks for its version, which decides the wire format of everything else. served
// is the version that the caller knows already, or "": it counts where the gateway reports none, and contradicting
// the gateway is an error. The caller closes the API.
//
// Errors are *ConnectError.
func Connect(ctx context.Context, e env.Env, name, served string) (*API, error) {
	registration, err := ReadRegistration(e, name)
	if err != nil {
		return nil, unregistered(name, err)
	}
	target, err := endpointOf(registration)
	if err != nil {
		return nil, &ConnectError{Gateway: name, Kind: BadRegistration, Err: err}
	}
	registration.Name, registration.Endpoint = name, target.url
	conn, config, err := dial(e, registration, target)
	if err != nil {
		return nil, err
	}
	api := &API{
		Gateway: name, Endpoint: registration.Endpoint, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, PollInterval: pollInterval,
		workspace: workspaceOf(e), conn: conn,
	}
	if err := api.settle(ctx, served); err != nil {
		return nil, errors.Join(explain(ctx, err, target, config), conn.Close())
	}
	return api, nil
}

// settle asks the gateway for its version.
func (a *API) settle(ctx context.Context, served string) error {
	health, err := a.Health(ctx)
	if err != nil {
		return a.notTheAPI(err)
	}
	known, said := wire.VersionOf(served), wire.VersionOf(health.Version)
	switch {
	case said.Generation == wire.Unknown && served != "":
		said = known
	case known.Generation != wire.Unknown && known.Generation != said.Generation:
		return &ConnectError{
			Gateway: a.Gateway, Endpoint: a.Endpoint, Kind: VersionChanged,
			Err: fmt.Errorf("it now reports version %q, a moment ago it was %q", text.OneLine(health.Version, 40), text.OneLine(served, 40)),
		}
	}

	a.version = said
	if said.Generation != wire.Unknown && !said.Since(88) {
		a.workspace = wire.DefaultWorkspace // there is no other
	}
	return nil
}

// notTheAPI is what a refused Health call means: every gateway answers it, to anybody that TLS lets in
// (docs/facts/openshell.md 3.1).
func (a *API) notTheAPI(err error) error {
	refused, _ := errors.AsType[*CallError](err)
	mismatch, _ := errors.AsType[*MismatchError](err)
	kind := WrongEndpoint
	switch {
	case refused == nil && mismatch == nil:
		return err
	case refused != nil && refused.Code == "PermissionDenied":
		kind = Unauthenticated
	}

	return &ConnectError{Gateway: a.Gateway, Endpoint: a.Endpoint, Kind: kind, Err: err}
}

// endpoint is where a gateway listens.
type endpoint struct {
	url     string // scheme, host and port, without whatever else the registration has
	host    string // without brackets: also the name that its certificate must bear
	address string // host:port
	tls     bool
}

func endpointOf(r Registration) (endpoint, error) {
	parsed, err := url.Parse(r.Endpoint)
	if err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || r.Port == 0 {
		return endpoint{}, errors.New("its endpoint is not an http:// or https:// address")
	}
	address := net.JoinHostPort(parsed.Hostname(), strconv.Itoa(r.Port))
	return endpoint{url: parsed.Scheme + "://" + address, host: parsed.Hostname(), address: address, tls: parsed.Scheme == "https"}, nil
}

// loopback reports whether what is sent to the endpoint stays on this host.
func (t endpoint) loopback() bool {
	ip := net.ParseIP(t.host)
	return t.host == "localhost" || ip != nil && ip.IsLoopback()
}

// dial prepares the connection; config is nil without TLS.
func dial(e env.Env, r Registration, target endpoint) (conn *grpc.ClientConn, config *tls.Config, err error) {
	token, err := bearer(e, r, target)
	if err != nil {
		return nil, nil, err
	}
	security := insecure.NewCredentials()
	if target.tls {
		if config, err = tlsOf(e, r, target, token != ""); err != nil {
			return nil, nil, err
		}
		security = credentials.NewTLS(config)
	}

	conn, err = grpc.NewClient("passthrough:///"+target.address,
		grpc.WithTransportCredentials(security), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithUserAgent("sandkeeper"),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", address)
		}),
		grpc.WithUnaryInterceptor(authorize(token)), grpc.WithStreamInterceptor(authorizeStream(token)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(answerLimit)),
	)
	if err != nil {
		return nil, nil, &ConnectError{Gateway: r.Name, Endpoint: r.Endpoint, Kind: BadRegistration, Err: err}
	}
	return conn, config, nil
}

// workspaceOf is the workspace that the CLI would use.
func workspaceOf(e env.Env) string {
	if workspace := e.Get("OPENSHELL_WORKSPACE"); workspace != "" {
		return workspace
	}
	return wire.DefaultWorkspace
}

func unregistered(name string, err error) error {
	kind := BadRegistration
	if errors.Is(err, fs.ErrNotExist) {
		kind = NotRegistered
	}
	return &ConnectError{Gateway: name, Kind: kind, Err: err}
}
