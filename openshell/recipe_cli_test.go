package openshell

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/openshell/wire"
)

// What real command lines (PyPI wheels of these versions) sent to a gateway for `openshell sandbox create --name alpha --from
// ghcr.io/x/img:1 --label team=red …`, recorded on 2026-11-21.
const (
	// --cpu 2 --memory 4Gi --gpu
	sentBy0050 = "\nB2>\n\x0fghcr.io/x/img:1:+\n)\n\x06limits\x12\x1f*\x1d\n\n\n\x03cpu\x12\x03\x1a\x012\n\x0f\n\x06memory\x12\x05\x1a\x034Gi" +
		"H\x01\x12\x05alpha\x1a\v\n\x04team\x12\x03red"
	// --cpu 2 --memory 4Gi --gpu 2 --env A=s3cret --env B= --driver-config-json '{"docker":{"mounts":[…]}}'
	sentBy0080 = "\n\x8b\x02*\x03\n\x01B*\v\n\x01A\x12\x06s3cret2\xf0\x01\n\x0fghcr.io/x/img:1:+\n)\n\x06limits\x12\x1f*\x1d\n\n\n\x03cpu\x12\x03\x1a\x012" +
		"\n\x0f\n\x06memory\x12\x05\x1a\x034GiZ\xaf\x01\n\xac\x01\n\x06docker\x12\xa1\x01*\x9e\x01\n\x9b\x01\n\x06mounts\x12\x90\x012\x8d\x01\nA*?\n\x10\n\x06source" +
		"\x12\x06\x1a\x04work\n\x19\n\x06target\x12\x0f\x1a\r/sandbox/work\n\x10\n\x04type\x12\b\x1a\x06volume\nH*F\n\x0f\n\tread_only\x12\x02 \x00\n\x10\n\x06source" +
		"\x12\x06\x1a\x04/srv\n\x11\n\x06target\x12\a\x1a\x05/data\n\x0e\n\x04type\x12\x06\x1a\x04bindJ\x04\n\x02\b\x02\x12\x05alpha\x1a\v\n\x04team\x12\x03red"
	// --cpu 2 --gpu 1 --env A=s3cret --policy … --driver-config-json …
	sentBy0110 = "\n\xdf\x01*\v\n\x01A\x12\x06s3cret2\x8e\x01\n\x0fghcr.io/x/img:1:\x1a\n\x18\n\x06limits\x12\x0e*\f\n\n\n\x03cpu\x12\x03\x1a\x012Z_\n]\n\x06docker" +
		"\x12S*Q\nO\n\x06mounts\x12E2C\nA*?\n\x10\n\x06source\x12\x06\x1a\x04work\n\x19\n\x06target\x12\x0f\x1a\r/sandbox/work\n\x10\n\x04type\x12\b\x1a\x06volume:9" +
		"\b\x01\x12\x12\b\x01\x12\x04/usr\x1a\b/sandbox\x1a\r\n\vbest_effort\"\x12\n\asandbox\x12\asandboxJ\x04\n\x02\b\x01\x12\x05alpha\x1a\v\n\x04team\x12\x03red*\adefault"
)

// TestWeSpeakAsTheRealCLIs reads the recipes that real command lines sent, and sends them again: the gateway must see the same bytes.
func TestWeSpeakAsTheRealCLIs(t *testing.T) {
	work, data := Mount{Source: "work", Target: "/sandbox/work", ReadOnly: true}, Mount{Source: "/srv", Target: "/data"}
	for version, c := range map[string]struct {
		sent   string
		recipe Spec
	}{
		"0.0.50":  {sentBy0050, Spec{Image: "ghcr.io/x/img:1"}},
		"0.0.80":  {sentBy0080, Spec{Image: "ghcr.io/x/img:1", EnvNames: []string{"A", "B"}, Mounts: []Mount{work, data}}},
		"0.0.110": {sentBy0110, Spec{Image: "ghcr.io/x/img:1", EnvNames: []string{"A"}, Mounts: []Mount{work}, RunAs: "sandbox"}},
	} {
		spec := specIn(t, c.sent)
		got, err := RawSandbox{Spec: spec}.ReadSpec()
		if got.Policy != nil && version != "0.0.110" || err != nil {
			t.Errorf("%s: policy %q, %v", version, got.Policy, err)
		}
		got.Policy = nil
		if diff := cmp.Diff(c.recipe, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
		var k keeper
		request := CreateRequest{Name: "alpha", Labels: map[string]string{"team": "red"}, Spec: spec}
		if _, err := connect(t, k.fake(version).serve(t, nil)).CreateSandbox(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		// The CLI of 0.0.88 and newer says the default workspace, which every gateway takes when none is said.
		want := bytes.TrimSuffix([]byte(c.sent), []byte("*\adefault"))
		if !bytes.Equal(k.request, want) {
			t.Errorf("%s: sent\n%q, the CLI\n%q", version, k.request, want)
		}
	}
}

// TestRecipeOfAnOlderGateway sends a recipe of 0.0.50 to a gateway of 0.0.110: the flag for a GPU is a message there.
func TestRecipeOfAnOlderGateway(t *testing.T) {
	var k keeper
	request := CreateRequest{Name: "alpha", Labels: map[string]string{"team": "red"}, Spec: specIn(t, sentBy0050)}
	if _, err := connect(t, k.fake("0.0.110").serve(t, nil)).CreateSandbox(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace([]byte(sentBy0050), []byte("H\x01"), []byte("J\x02\n\x00"), 1)
	want[1] += 2
	if !bytes.Equal(k.request, want) {
		t.Errorf("sent\n%q, want\n%q", k.request, want)
	}
}

func specIn(t *testing.T, request string) []byte {
	t.Helper()
	m, err := wire.Parse([]byte(request))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := m.Content(1)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
