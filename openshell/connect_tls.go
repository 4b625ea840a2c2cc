package openshell

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
)

// credentialLimit is far above any certificate, key or token.
const credentialLimit = 1 << 20

// tlsOf is the TLS side of an https endpoint, as the CLI does it (docs/facts/openshell.md 1.4 and 3.3): the gateway's
// own CA and a client certificate. Where a token says who we are, both may be missing: then the system's CAs count.
// OPENSHELL_GATEWAY_INSECURE leaves the gateway's certificate unverified.
func tlsOf(e env.Env, r Registration, target endpoint, token bool) (*tls.Config, error) {
	files, err := readMTLS(e, r)
	if err != nil {
		return nil, err
	}
	unverified, _ := strconv.ParseBool(e.Get("OPENSHELL_GATEWAY_INSECURE"))
	config := &tls.Config{ServerName: target.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: unverified}
	missing := files.missing()
	switch {
	case missing == "", token, unverified:
	case missing == "ca.crt": // we could show who we are, and cannot tell who answers
		return nil, files.fail(UntrustedGateway, missing, fs.ErrNotExist)
	default:
		return nil, files.fail(NoClientCertificate, missing, fs.ErrNotExist)
	}

	if files.ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(files.ca) {
			return nil, files.fail(UntrustedGateway, "ca.crt", errors.New("no certificate in it"))
		}
	}

	if files.cert != nil && files.key != nil {
		// The error of X509KeyPair speaks of formats, never of content.
		pair, err := tls.X509KeyPair(files.cert, files.key)
		if err != nil {
			return nil, files.fail(NoClientCertificate, "tls.crt and tls.key", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}

	return config, nil
}

// material is what the CLI keeps for a gateway's TLS; nil where a file does not exist.
type material struct {
	registration  Registration
	dir           string
	ca, cert, key []byte
}

// readMTLS reads the first folder that has any of the files: the user's, then the system's.
func readMTLS(e env.Env, r Registration) (material, error) {
	m := material{registration: r}
	for _, dir := range configDirs(e) {
		dir = filepath.Join(dir, "gateways", tlsFolder(r.Name), "mtls")
		if m.dir == "" {
			m.dir = dir
		}
		found := material{registration: r, dir: dir}
		for name, content := range map[string]*[]byte{"ca.crt": &found.ca, "tls.crt": &found.cert, "tls.key": &found.key} {
			var err error
			*content, err = homefile.Read(e.Home(), filepath.Join(dir, name), credentialLimit)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return m, found.fail(NoClientCertificate, name, unreadableFile(err))
			}
		}

		if found.ca != nil || found.cert != nil || found.key != nil {
			return found, nil
		}
	}
	return m, nil
}

func (m material) missing() string {
	var names []string
	for _, file := range []struct {
		name    string
		content []byte
	}{{"ca.crt", m.ca}, {"tls.crt", m.cert}, {"tls.key", m.key}} {
		if file.content == nil {
			names = append(names, file.name)
		}
	}
	return strings.Join(names, ", ")
}

func (m material) fail(kind ConnectKind, file string, err error) error {
	return &ConnectError{
		Gateway: m.registration.Name, Endpoint: m.registration.Endpoint, Object: filepath.Join(m.dir, file), Kind: kind, Err: err,
	}
}

// explain asks again why there was no connection. A gateway refuses a client certificate after our side of the
// handshake is done, and grpc may notice only that the connection broke; a connection on which we say nothing gets to
// read the reason.
func explain(ctx context.Context, failure error, target endpoint, config *tls.Config) error {
	broken, ok := errors.AsType[*ConnectError](failure)
	if !ok || broken.Kind != Unreachable || config == nil || ctx.Err() != nil {
		return failure
	}
	ctx, cancel := text.Within(ctx, connectTimeout)
	defer cancel()
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", target.address)
	if err == nil {
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		_, err = conn.Read(make([]byte, 1))
	}

	if err == nil || unavailable(err.Error()) == Unreachable {
		return failure
	}
	return &ConnectError{Gateway: broken.Gateway, Endpoint: broken.Endpoint, Kind: unavailable(err.Error()), Err: err}
}

// unreadableFile is the reason without the path, which ConnectError names itself.
func unreadableFile(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return fmt.Errorf("it cannot be read: %w", err)
}

// tlsFolder is the folder name under which the CLI looks for a gateway's certificates: what could be special in a path
// becomes "_" (docs/facts/openshell.md 1.4).
func tlsFolder(gateway string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}, gateway)
}
