package openshell

import "sandkeeper/test/e2e/gateway"

// reached is the selected gateway, when it answers at all.
func (c *call) reached() (Gateway, error) {
	g, err := c.selected()
	if err != nil {
		return g, err
	}
	if g.Down {
		return g, failure("transport error", "tcp connect error", "tcp connect error", "Connection refused (os error 111)")
	}
	return g, nil
}

// mismatch is how a state call ends between a command line and a gateway of different generations; nil when they
// understand each other. request and response name the messages as the decoders do.
func (c *call) mismatch(g Gateway, request, response string) error {
	ours, theirs := gateway.GenerationOf(c.script.Version), gateway.GenerationOf(g.Version)
	const undecodable = "failed to decode Protobuf message: "
	switch {
	case ours == theirs:
		return nil
	case theirs == gateway.Timestamps && c.since(88):
		return c.grpc("Internal", undecodable+request+".workspace_scope: unexpected end group tag")
	case theirs == gateway.Timestamps && request == "ListSandboxesRequest":
		return c.grpc("InvalidArgument", "workspace_scope is required")
	case ours == gateway.Timestamps && gateway.Since(g.Version, 88):
		return c.grpc("NotFound", `workspace '\n\u{7}default' not found`)
	case ours == gateway.Cluster:
		return c.grpc("Internal", undecodable+"Sandbox.id: "+response+": invalid string value: data is not UTF-8 encoded")
	case theirs == gateway.Cluster && c.since(84):
		return c.grpc("Internal", undecodable+"ObjectMeta.annotations: Sandbox.metadata: "+response+": invalid wire type value: 7")
	case theirs == gateway.Cluster:
		return c.grpc("Internal", undecodable+"Sandbox.metadata: "+response+": invalid wire type value: 7")
	default:
		return nil
	}
}

// phase is what this command line reads as the phase of s: between 0.0.52 and 0.0.53 the field moved, silently.
func (c *call) phase(g Gateway, s Sandbox) string {
	ours, theirs := gateway.GenerationOf(c.script.Version), gateway.GenerationOf(g.Version)
	if (ours == gateway.Metadata) != (theirs == gateway.Metadata) {
		return "Unspecified"
	}
	if s.Phase == "" {
		return "Ready"
	}
	return s.Phase
}
