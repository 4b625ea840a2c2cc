package openshell

import (
	"strings"
	"testing"
)

func TestDecodeFailure(t *testing.T) {
	reasons := []string{
		"unexpected end group tag", "invalid wire type value: 6", "delimited length exceeded", "invalid wire type value: 7", "invalid varint",
		"invalid tag value: 0", "buffer underflow", "invalid wire type: Varint (expected LengthDelimited)", "recursion limit reached",
		"invalid string value: data is not UTF-8 encoded",
	}
	for _, reason := range reasons {
		for _, form := range []string{
			`status: Internal, message: "failed to decode Protobuf message: %", details: []`,
			`Error: code: 'Internal error', message: "failed to decode Protobuf message: Sandbox.metadata: %"`,
			"Sandbox.metadata: %",
		} {
			text := strings.ReplaceAll(form, "%", reason)
			if !DecodeFailure(text) || !DecodeFailure(broken(text, 9)) {
				t.Errorf("%q, or the same wrapped, is not recognised", text)
			}
		}
	}
	for _, text := range []string{
		"failed to decode Protobuf message", "protobuf decode: invalid wire type", "proto schema mismatch",
		"proto: cannot parse invalid wire-format data", "grpc: failed to unmarshal the received message: proto: wrong wireType = 2 for field Id",
		"proto: illegal wireType 7", "string field contains invalid UTF-8", "Protocol message tag had invalid wire type.",
		"Response message parsing error: invalid wire type 6 at offset 1039",
		"Exception deserializing message!", "details = \"Exception deserializing request!\"", "Failed to deserialize response message.",
		"Error occurred during parsing: Wire format error", "cannot decode message openshell.v1.Sandbox from binary: illegal tag: field no 0 wire type 2",
		"Can't parse message of type \"openshell.v1.Sandbox\" because it is missing required fields: id", "INTERNAL: Invalid protobuf byte sequence",
		"google.protobuf.message.DecodeError: Truncated message.", "Sandbox.metadata: invalid key value: 34359738375",
		`Message type "openshell.v1.Sandbox" has no field named "workspace" at "Sandbox".`, "proto: Sandbox: wiretype end group for non-group",
		"thread 'main' panicked at src/main.rs:4:5:\ncalled `Result::unwrap()` on an `Err` value: DecodeError { kind: UnexpectedTypeUrl { actual: \"a/b\", expected: \"a/c\" }, stack: [] }",
		"proto: syntax error (line 1:1): unexpected token <", "proto:\u00a0syntax error (line 1:2): invalid value nul",
		"protojson: (line 1:2): unknown field \"workspace\"", "deserialize failed: protobuf", "parsing error: protobuf: truncated",
		"cannot read '/srv/a': failed to decode Protobuf message: '/srv/b'", "error: \"/openshell.v1.OpenShell/GetSandbox: invalid wire type value: 6\"",
	} {
		if !DecodeFailure(text) {
			t.Errorf("%q is not recognised", text)
		}
	}
}

func TestOtherTextsAreNoDecodeFailure(t *testing.T) {
	for _, text := range []string{
		"", "No sandboxes found.", "NAME  CREATED  PHASE\nproto-decode  2026-08-21 14:15:56  Ready",
		"Error: transport error\n    Caused by: Connection refused (os error 111)", `[{"name":"protobuf","phase":"Ready"}]`,
		"status: Unimplemented, message: \"\"", "proto: file \"x.proto\" is already registered", "code: 'Some requested entity was not found'",
		"failed to parse response as JSON", "error decoding response body: expected value at line 1 column 1", "failed to parse gateway metadata",
		"invalid key value: labels must be key=value", `Error: failed to open "/srv/invalid wire type/config.toml": No such file or directory (os error 2)`,
		"Error: cannot read '~/invalid wire\n  │ type': Is a directory", "Error: ‘./buffer underflow.toml’: Permission denied", "parse error: protocol not supported",
	} {
		if DecodeFailure(text) {
			t.Errorf("%q is taken for a decode failure", text)
		}
	}
}

// broken is text wrapped at any column, also inside words.
func broken(text string, width int) string {
	var out strings.Builder
	for i, r := range text {
		if i > 0 && i%width == 0 {
			out.WriteString("\n  │ ")
		}
		out.WriteRune(r)
	}
	return out.String()
}

func FuzzDecodeFailure(f *testing.F) {
	f.Add("Error:   × status: Internal, message: \"failed to decode\n  │ Protobuf message\"")
	f.Add("\xff\xfe")
	f.Fuzz(func(_ *testing.T, text string) { DecodeFailure(text) })
}

// An error is read at either end of an output of megabytes.
func TestDecodeFailureAtEitherEndOfALongOutput(t *testing.T) {
	said, noise := "failed to decode Protobuf message: invalid wire type", strings.Repeat("y\n", 4*mostSaid)
	for name, written := range map[string]string{"first": said + "\n" + noise, "last": noise + said} {
		if !DecodeFailure(written) {
			t.Errorf("said %s: not seen", name)
		}
	}
}
