package openshell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"sandkeeper/internal/text"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// CallError is a call that the gateway answered with a refusal. errors.Is with fs.ErrNotExist, fs.ErrExist and
// ErrUnsupported tells the three that decide what happens next: the sandbox is not there, it is there already, this
// gateway has no such call.
type CallError struct {
	Gateway string
	Op      string // "GetSandbox"
	Object  string // the sandbox it was about; "" when about none
	Code    string // of gRPC, "PermissionDenied"
	Message string // the gateway's own words, or an interceptor's: one line
	Err     error  // one of those above, or nil
}

// Error names the gateway, the call, the sandbox, and shows the gateway's own words.
func (e *CallError) Error() string {
	written := fmt.Sprintf("gateway %q: %s", e.Gateway, e.Op)
	if e.Object != "" {
		written += fmt.Sprintf(" of %q", e.Object)
	}
	if e.Message == "" {
		return written + ": " + e.Code
	}
	return written + ": " + text.OneLine(e.Message, 260) + " (" + e.Code + ")"
}

// Unwrap gives what errors.Is asks for.
func (e *CallError) Unwrap() error { return e.Err }

// silence is the cause of a call that ran into its own time limit.
type silence struct {
	op    string
	limit time.Duration
}

// Error names the call and its limit.
func (s *silence) Error() string { return fmt.Sprintf("%s: no answer within %v", s.op, s.limit) }

// Is makes it the deadline that it is.
func (s *silence) Is(target error) bool { return target == context.DeadlineExceeded }

// call is a call that failed.
type call struct {
	op, object string
	quiet      *silence
}

// failure is what grpc says, in our words. A decode error of either side comes first, whatever its code.
func (a *API) failure(ctx context.Context, c call, err error) error {
	state := status.Convert(err)
	awaitLimit(ctx, state.Code())
	words := text.OneLine(state.Message(), 0)
	unreachable := &ConnectError{Gateway: a.Gateway, Endpoint: a.Endpoint, Kind: Unreachable, Err: errors.New(words)}
	switch code := state.Code(); {
	case DecodeFailure(words):
		return &MismatchError{Gateway: a.Gateway, Op: c.op, Output: words}
	case callersOwn(context.Cause(ctx), c.quiet):
		return fmt.Errorf("gateway %q: %w", a.Gateway, context.Cause(ctx))
	case ctx.Err() != nil:
		unreachable.Err = context.Cause(ctx)
	case code == codes.DeadlineExceeded:
		unreachable.Err = c.quiet
	case code == codes.Unavailable && !relay(words):
		unreachable.Kind = unavailable(words)
	case code == codes.Unauthenticated:
		unreachable.Kind = Unauthenticated
	default:
		return &CallError{
			Gateway: a.Gateway, Op: c.op, Object: c.object, Code: code.String(), Message: words, Err: meaning(code, c.op, words),
		}
	}

	return unreachable
}

// awaitLimit waits for a limit of ours that is about to pass: the gateway knows it, whoever has set it, and may be the
// first to see it pass.
func awaitLimit(ctx context.Context, code codes.Code) {
	if at, limited := ctx.Deadline(); limited && code == codes.DeadlineExceeded && time.Until(at) < 100*time.Millisecond {
		<-ctx.Done()
	}
}

// callersOwn reports whether it was the caller who ended the call, by Ctrl-C or by a limit of its own that has a name:
// that says nothing of the gateway.
func callersOwn(cause error, quiet *silence) bool {
	return cause != nil && cause != error(quiet) && !errors.Is(cause, context.DeadlineExceeded)
}

// meaning is the sentinel behind a code. Only a sandbox that was not found is not there: a workspace or a provider that
// is not found says nothing about it.
func meaning(code codes.Code, op, words string) error {
	switch code {
	case codes.NotFound:
		if strings.HasSuffix(op, "Sandbox") && op != "CreateSandbox" && notTheSandbox(words) {
			return fs.ErrNotExist
		}
	case codes.AlreadyExists:
		return fs.ErrExist
	case codes.Unimplemented:
		return ErrUnsupported
	}
	return nil
}

func notTheSandbox(words string) bool {
	words = strings.ToLower(words)
	return strings.Contains(words, "sandbox") && strings.Contains(words, "not found") && !strings.Contains(words, "workspace")
}

// relay reports that it is a sandbox which cannot be reached, not the gateway (docs/facts/openshell.md 3.3).
func relay(words string) bool { return strings.HasPrefix(words, "supervisor ") }

// unavailable tells from grpc's and crypto/tls's own words why there was no connection.
func unavailable(words string) ConnectKind {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(words, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("remote error: tls: certificate required", "remote error: tls: bad certificate", "remote error: tls: unknown certificate",
		"remote error: tls: expired certificate", "remote error: tls: handshake failure", "remote error: tls: revoked certificate"):
		return NoClientCertificate
	case has("x509: ", "failed to verify certificate"):
		return UntrustedGateway
	case has("first record does not look like a TLS handshake", "error reading server preface", "cannot check peer: missing selected ALPN"):
		return WrongEndpoint
	}
	return Unreachable
}
