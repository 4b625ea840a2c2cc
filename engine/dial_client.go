package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/client"
	"github.com/docker/go-connections/sockets"
	"github.com/docker/go-connections/tlsconfig"
)

// answerLimit is how much of one JSON answer is read; 1,000 containers take about 4 MiB.
const answerLimit = 64 << 20

// writeBuffer holds a whole piece of a stream (32 KiB, of net/http) with what HTTP puts around it: an engine that a
// home is written to is then woken once for each piece, not twice.
const writeBuffer = 64 << 10

// tlsFiles are the certificates for an engine behind TLS; the zero value means plain.
type tlsFiles struct {
	ca, cert, key string
	skipVerify    bool
	on            bool
}

func certificates(dir string) tlsFiles {
	return tlsFiles{
		ca: filepath.Join(dir, "ca.pem"), cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), on: true,
	}
}

// environmentTLS reads the docker command's own variables: DOCKER_TLS_VERIFY (set at all) turns TLS on.
func (d Dialing) environmentTLS() tlsFiles {
	if d.Env.Get("DOCKER_TLS_VERIFY") == "" {
		return tlsFiles{}
	}
	if dir := d.Env.Get("DOCKER_CERT_PATH"); dir != "" {
		return certificates(dir)
	}
	return certificates(filepath.Join(d.Env.Home(), ".docker"))
}

func newEngine(a address, timeout time.Duration) (*Engine, error) {
	host, err := dialable(a.host)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second, WriteBufferSize: writeBuffer}
	if err := sockets.ConfigureTransport(transport, host.Scheme, host.Host); err != nil {
		return nil, err
	}
	options := []client.Opt{client.WithHost(a.host), client.WithAPIVersionNegotiation()}
	via := http.RoundTripper(bounded{transport})
	if a.tls.on {
		// The client takes its TLS settings from a plain transport only; an engine that proved who it is may go
		// unbounded.
		if transport.TLSClientConfig, err = a.tls.config(); err != nil {
			return nil, err
		}
		via = transport
	}

	options = append(options, client.WithHTTPClient(&http.Client{Transport: via, CheckRedirect: client.CheckRedirect}))
	c, err := client.NewClientWithOpts(options...)
	if err != nil {
		return nil, err
	}
	return &Engine{client: c, host: a.host, timeout: timeout}, nil
}

func dialable(host string) (*url.URL, error) {
	parsed, err := client.ParseHostURL(host)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of a container engine", host)
	}
	switch parsed.Scheme {
	case "unix", "tcp":
		return parsed, nil
	case "ssh":
		return nil, errors.New("engines behind ssh are not looked at: run sandkeeper on that host")
	}
	return nil, fmt.Errorf("engines behind %q are not looked at", parsed.Scheme+"://")
}

func (f tlsFiles) config() (t *tls.Config, err error) {
	options := tlsconfig.Options{ExclusiveRootPools: true, InsecureSkipVerify: f.skipVerify}
	options.CAFile, options.CertFile, options.KeyFile = f.ca, f.cert, f.key
	return tlsconfig.Client(options)
}

// bounded stops reading an answer that is no stream by nature after answerLimit bytes: whoever listens on the socket
// may be anybody.
type bounded struct {
	*http.Transport
}

// RoundTrip is http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.Transport.RoundTrip(request)
	if err == nil && response.Body != nil && !stream(request.URL.Path) {
		response.Body = cutOff{io.LimitReader(response.Body, answerLimit), response.Body}
	}
	return response, err
}

func stream(path string) bool {
	for _, suffix := range []string{"/archive", "/export", "/logs", "/attach", "/events", "/get", "/images/create"} {
		if strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

type cutOff struct {
	io.Reader
	io.Closer
}
