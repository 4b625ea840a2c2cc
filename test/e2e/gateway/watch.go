package gateway

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// watchInterval lies between two looks of a watch.
const watchInterval = 100 * time.Millisecond

// watchSchema is WatchSandboxRequest: field 1 holds the sandbox id; the filters of logs and events do not matter here.
func watchSchema() schema {
	return schema{1: {"id", lengthed, toName}, 7: {"stop_on_terminal", varint, toUntilSettled}}
}

// watch streams a sandbox whenever its phase has changed, as SandboxStreamEvent{sandbox1}; on request until it is ready
// or failed.
func (s *Server) watch(stream grpc.ServerStream, in message) error {
	r, err := watchSchema().read("WatchSandboxRequest", in)
	if err != nil {
		return err
	}
	for seen := Phase(1 << 32); ; {
		sandbox, err := s.find(stream.Context(), r.key())
		if err != nil {
			return err
		}
		if sandbox.Phase != seen {
			var event message
			event.embed(1, sandbox.encode(s.Version))
			if err := stream.SendMsg(event); err != nil {
				return err
			}
			seen = sandbox.Phase
		}

		if r.untilSettled && (seen == Ready || seen == Failed) {
			return nil
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-time.After(watchInterval):
		}
	}
}

// policy is the policy in the spec, and whether there is one.
func (s Sandbox) policy() (content []byte, there bool) {
	for _, f := range s.specFields() {
		if f.number == 7 && f.kind == protowire.BytesType {
			content, there = f.bytes, true
		}
	}
	return content, there
}

// providers are the names of the providers in the spec.
func (s Sandbox) providers() []string {
	var names []string
	for _, f := range s.specFields() {
		if f.number == 8 {
			names = append(names, string(f.bytes))
		}
	}
	return names
}

// specFields are those of the spec; their numbers are the same in every version. A spec that does not decode has none.
func (s Sandbox) specFields() []field {
	fields, err := decode(s.spec("0.1.0"))
	if err != nil {
		return nil
	}
	return fields
}
