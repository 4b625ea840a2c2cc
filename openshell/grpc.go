package openshell

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/grpc"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/openshell/wire"
)

// How long one call may take: reading is quick, creating and deleting may wait for the engine. Between two looks at
// something that is changing lies the poll interval.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 60 * time.Second
	pollInterval = time.Second
)

// service is the path before every RPC, the same in every version (docs/facts/openshell.md 3).
const service = "/openshell.v1.OpenShell/"

// API is the gRPC API of one gateway. It shows what no output of the CLI does: what a sandbox was made from. It is safe
// for concurrent use. Its methods return *MismatchError for an answer of another schema, *ConnectError where nobody
// could answer, and *CallError for everything else that a gateway refuses.
type API struct {
	Gateway  string
	Endpoint string
	// ReadTimeout and WriteTimeout bound one call; PollInterval is the pause between two looks of Wait. Connect sets
	// them.
	ReadTimeout, WriteTimeout, PollInterval time.Duration

	version   wire.Version
	workspace string // in which sandboxes are looked for and created: OPENSHELL_WORKSPACE, else "default"
	conn      *grpc.ClientConn
}

// Served is the version that the gateway reports; "" when none is known.
func (a *API) Served() string { return a.version.Text }

// Generation is the wire generation that the API speaks with the gateway.
func (a *API) Generation() wire.Generation { return a.version.Generation }

// In is the API for another workspace, over the same connection; "" is the API's own. A gateway without workspaces has
// one.
func (a *API) In(workspace string) *API {
	in := *a
	if workspace != "" && a.version.Since(88) {
		in.workspace = workspace
	}
	return &in
}

// Close ends the connection.
func (a *API) Close() error { return a.conn.Close() }

// Health asks for the gateway's version and condition. It works with every generation.
func (a *API) Health(ctx context.Context) (wire.Health, error) {
	answer, err := a.read(ctx, "Health", "", nil)
	if err != nil {
		return wire.Health{}, err
	}
	health, err := wire.ReadHealth(answer)
	return health, a.decoded("Health", err)
}

// ComputeDrivers names the gateway's compute drivers, such as "docker". Before 0.0.85 the error wraps ErrUnsupported.
func (a *API) ComputeDrivers(ctx context.Context) ([]string, error) {
	answer, err := a.read(ctx, "GetGatewayInfo", "", nil)
	if err != nil {
		return nil, err
	}
	names, err := wire.ReadDrivers(answer)
	return names, a.decoded("GetGatewayInfo", err)
}

// read makes a call that changes nothing.
func (a *API) read(ctx context.Context, op, object string, in []byte) ([]byte, error) {
	return a.invoke(ctx, a.ReadTimeout, op, object, in)
}

// write makes a call that changes something. What a gateway of unknown layout would make of it is a guess, so it is not
// made.
func (a *API) write(ctx context.Context, op, object string, in []byte) ([]byte, error) {
	if err := a.writable(); err != nil {
		return nil, err
	}
	return a.invoke(ctx, a.WriteTimeout, op, object, in)
}

// Address is how people write a sandbox of the API's workspace.
func (a *API) Address(name string) string { return sandboxname.Address(a.workspace, name) }

func (a *API) writable() error {
	if a.version.Generation != wire.Unknown {
		return nil
	}
	return fmt.Errorf("gateway %q reports version %q, whose API this program does not know: nothing is created or deleted there: %w",
		a.Gateway, text.OneLine(a.version.Text, 40), ErrUnsupported)
}

func (a *API) invoke(ctx context.Context, limit time.Duration, op, object string, in []byte) ([]byte, error) {
	quiet := &silence{op: op, limit: limit}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, quiet)
	defer cancel()
	request, answer := message(in), message(nil)
	if err := a.conn.Invoke(ctx, service+op, &request, &answer); err != nil {
		return nil, a.failure(ctx, call{op: op, object: object, quiet: quiet}, err)
	}
	return answer, nil
}

// decoded turns an answer that could not be read into the error that says so.
func (a *API) decoded(op string, err error) error {
	if err == nil {
		return nil
	}
	return &MismatchError{Gateway: a.Gateway, Op: op, Output: "failed to decode Protobuf message: " + text.OneLine(err.Error(), 0)}
}

// layouts are the versions whose layout may be tried for reading: the gateway's own or, where that is unknown, each way
// of naming pages and workspaces, of which a gateway refuses the wrong one.
func (a *API) layouts() []wire.Version {
	if a.version.Generation != wire.Unknown {
		return []wire.Version{a.version}
	}
	return []wire.Version{{Text: a.version.Text}, wire.VersionOf("0.1.0")}
}

// probe reads with the first layout that the gateway takes. That a sandbox is not there is believed when no layout
// finds it.
func (a *API) probe(read func(wire.Version) error) error {
	var missing, other error
	for _, layout := range a.layouts() {
		err := read(layout)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = cmp.Or(missing, err)
		case err == nil || !wrongLayout(err):
			return err
		default:
			other = cmp.Or(other, err)
		}
	}
	return cmp.Or(missing, other)
}

// wrongLayout reports whether an error may be due to the layout of the request or of the answer.
func wrongLayout(err error) bool {
	refused, ok := errors.AsType[*CallError](err)
	if ok {
		return refused.Code == "InvalidArgument" || refused.Code == "NotFound"
	}
	_, ok = errors.AsType[*MismatchError](err)
	return ok
}

// message is an encoded message on its way through grpc.
type message []byte

// raw hands messages through as they are: what they mean is wire's matter.
type raw struct{}

// Name is the content subtype, application/grpc+proto.
func (raw) Name() string { return "proto" }

// Marshal takes a *message.
func (raw) Marshal(v any) ([]byte, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("%T is not an encoded message", v)
	}
	return *m, nil
}

// Unmarshal fills a *message.
func (raw) Unmarshal(data []byte, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("%T cannot hold an encoded message", v)
	}
	*m = bytes.Clone(data)
	return nil
}
