package gateway

import (
	"strings"
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestReasonsAreProsts(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"a workspace string read as a message": {[]byte("default"), "unexpected end group tag"},
		"wire type 7":                          {[]byte{0x0f}, "invalid wire type value: 7"},
		"wire type 6":                          {[]byte{0x0e}, "invalid wire type value: 6"},
		"field 0":                              {[]byte{0x02, 0x00}, "invalid tag value: 0"},
		"cut off":                              {[]byte{0x0a, 0x05, 'a'}, "buffer underflow"},
		"endless varint":                       {[]byte{0x08, 0xff, 0xff}, "invalid varint"},
		"endless key":                          {[]byte{0xff}, "invalid varint"},
		"fixed32 cut off":                      {[]byte{0x0d, 0x00}, "buffer underflow"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decode(c.bytes); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestRequestsOfOtherGenerations(t *testing.T) {
	old := protowire.AppendString(protowire.AppendTag(nil, 4, protowire.BytesType), "default")
	offset := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 100)
	for name, c := range map[string]struct {
		version string
		in      []byte
		want    string // "" is understood
	}{
		"workspace, same generation": {"0.0.110", old, ""},
		"workspace, too old to know": {"0.0.50", old, ""},
		"workspace, newer gateway": {
			"0.1.4", old, "failed to decode Protobuf message: ListSandboxesRequest.workspace_scope: unexpected end group tag",
		},
		"offset, newer gateway": {
			"0.1.4", offset, "failed to decode Protobuf message: ListSandboxesRequest.page_token: invalid wire type: Varint (expected LengthDelimited)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := listSchema(c.version, 4).read("ListSandboxesRequest", c.in)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := status.Convert(err).Message(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGenerations(t *testing.T) {
	for version, want := range map[string]Generation{
		"0.0.12": Cluster, "0.0.36": Cluster, "0.0.37": Metadata, "0.0.52": Metadata, "0.0.53": Status, "0.0.116": Status,
		"0.0.53-dev.3+gabc": Status, "0.1.0": Timestamps, "1.2.3": Timestamps, "no version": Timestamps,
	} {
		if got := GenerationOf(version); got != want {
			t.Errorf("%s: generation %d, want %d", version, got, want)
		}
	}
}

// TestSpecSurvives holds that a gateway answers a spec as it was sent, fields unknown to it included.
func TestSpecSurvives(t *testing.T) {
	sent := protowire.AppendString(protowire.AppendTag(nil, 900, protowire.BytesType), "from the future")
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.4"} {
		if got := string(Sandbox{Name: "alpha", Spec: sent}.encode(version)); !strings.Contains(got, "from the future") {
			t.Errorf("%s: lost", version)
		}
	}
}

func TestRooted(t *testing.T) {
	root := t.TempDir()
	for in, want := range map[string]string{
		"tar|-C|/sandbox|.": "tar|-C|ROOT/sandbox|.", "tar|-C|/|sandbox": "tar|-C|ROOT|sandbox",
		"sh|-c|cd /sandbox/a && ls '/sandbox'": "sh|-c|cd ROOT/sandbox/a && ls 'ROOT/sandbox'", "cat|/etc/hostname": "cat|/etc/hostname",
	} {
		got := strings.ReplaceAll(strings.Join(Rooted(root, strings.Split(in, "|")), "|"), root, "ROOT")
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
