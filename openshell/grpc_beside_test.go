package openshell

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/openshell/wire"
)

func bytesField(b []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), value)
}

func numberField(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

// setting is an entry of GetSandboxConfigResponse.settings.
func setting(key, value string, scope uint64) string {
	effective := numberField(bytesField(nil, 1, string(bytesField(nil, 1, value))), 2, scope)
	return string(bytesField(bytesField(nil, 1, key), 2, string(effective)))
}

// What a gateway keeps of a sandbox beside its recipe is read, and given to another sandbox as it came: in the numbers of the published
// clients 0.0.116 and 0.1.5.
func TestBesideIsReplayed(t *testing.T) {
	for _, version := range []string{"0.0.110", "0.1.5"} {
		var asked, exposed, updated []byte
		endpoint := numberField(numberField(bytesField(bytesField(nil, 2, "id-a"), 4, "web"), 5, 8080), 6, 1)
		gw := fake{
			"Health": healthy(version),
			"ListServices": func(_ context.Context, in []byte) ([]byte, error) {
				return bytesField(nil, 1, string(bytesField(nil, 1, string(endpoint)))), nil
			},
			"GetSandboxConfig": func(_ context.Context, in []byte) ([]byte, error) {
				asked = in
				return bytesField(bytesField(nil, 4, setting("proposal_approval_mode", "auto", 1)), 4, setting("ocsf", "global", 2)), nil
			},
			"ExposeService": func(_ context.Context, in []byte) ([]byte, error) {
				exposed = in
				return nil, status.Error(codes.AlreadyExists, "it is there")
			},
			"UpdateConfig": func(_ context.Context, in []byte) ([]byte, error) { updated = in; return nil, nil },
		}
		api := connect(t, gw.serve(t, nil))
		kept, err := api.Beside(t.Context(), "id-a", "alpha")
		if want := `service "web" (port 8080), setting "proposal_approval_mode"`; err != nil || kept.String() != want {
			t.Fatalf("%s: Beside = %s, %v, want %s", version, kept, err, want)
		}
		if err := api.Replay(t.Context(), "alpha", kept); err != nil {
			t.Errorf("%s: Replay: %v", version, err)
		}
		by := map[string]string{"0.0.110": "id-a", "0.1.5": "alpha"}[version]
		if m, err := wire.Parse(asked); err != nil || first(t, m, 1) != by {
			t.Errorf("%s: asked for the settings of %q, want %q", version, first(t, m, 1), by)
		}
		m, _ := wire.Parse(exposed)
		port, _ := m.Number(3)
		domain, _ := m.Number(4)
		if first(t, m, 1) != "alpha" || first(t, m, 2) != "web" || port != 8080 || domain != 1 {
			t.Errorf("%s: ExposeService of %q, %q, %d, %d", version, first(t, m, 1), first(t, m, 2), port, domain)
		}
		m, _ = wire.Parse(updated)
		if first(t, m, 1) != "alpha" || first(t, m, 3) != "proposal_approval_mode" || first(t, m, 4) != string(bytesField(nil, 1, "auto")) {
			t.Errorf("%s: UpdateConfig of %q, %q", version, first(t, m, 1), first(t, m, 3))
		}
	}
	old := connect(t, fake{"Health": healthy("0.0.37")}.serve(t, nil))
	if kept, err := old.Beside(t.Context(), "id-a", "alpha"); err != nil || kept.String() != "" {
		t.Errorf("a gateway that keeps nothing: %s, %v", kept, err)
	}
	refusing := connect(t, fake{
		"Health": healthy("0.0.110"),
		"ExposeService": func(context.Context, []byte) ([]byte, error) {
			return nil, status.Error(codes.PermissionDenied, "not you")
		},
	}.serve(t, nil))
	err := refusing.Replay(t.Context(), "alpha", Beside{Services: []wire.Service{{Name: "web", Port: 80}}})
	if err == nil || !strings.Contains(err.Error(), `service "web" (port 80)`) || !strings.Contains(err.Error(), "not you") {
		t.Errorf("a refusal: %v", err)
	}
}

func first(t *testing.T, m wire.Message, number protowire.Number) string {
	t.Helper()
	text, err := m.Text(number)
	if err != nil {
		t.Error(err)
	}
	return text
}

// What belongs to the whole gateway is read and set in the numbers of the published clients; a setting without a value was never set.
func TestWholeGatewayIsReadAndSet(t *testing.T) {
	for _, version := range []string{"0.0.110", "0.1.5"} {
		var updated []byte
		entry := func(key, value string) string { return string(bytesField(bytesField(nil, 1, key), 2, value)) }
		workspace := func(name string) string {
			return string(bytesField(nil, 1, string(bytesField(bytesField(nil, 1, "id-"+name), 2, name))))
		}
		gw := fake{
			"Health": healthy(version),
			"ListWorkspaces": func(context.Context, []byte) ([]byte, error) {
				return bytesField(bytesField(nil, 1, workspace("default")), 1, workspace("team2")), nil
			},
			"GetGatewayConfig": func(context.Context, []byte) ([]byte, error) {
				return bytesField(bytesField(nil, 1, entry("ocsf", string(bytesField(nil, 1, "on")))), 1, entry("unset", "")), nil
			},
			"UpdateConfig": func(_ context.Context, in []byte) ([]byte, error) { updated = in; return nil, nil },
		}
		api := connect(t, gw.serve(t, nil))
		names, err := api.Workspaces(t.Context())
		if err != nil || strings.Join(names, " ") != "default team2" {
			t.Errorf("%s: workspaces %q, %v", version, names, err)
		}
		settings, err := api.Settings(t.Context())
		if err != nil || len(settings) != 1 || settings[0].Key != "ocsf" {
			t.Fatalf("%s: settings %v, %v", version, settings, err)
		}
		if err := api.SetSetting(t.Context(), settings[0]); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		m, err := wire.Parse(updated)
		if err != nil || first(t, m, 3) != "ocsf" || first(t, m, 4) != string(bytesField(nil, 1, "on")) {
			t.Errorf("%s: UpdateConfig of %q, %v", version, updated, err)
		}
		if global, err := m.Number(6); err != nil || global != 1 {
			t.Errorf("%s: it is not for the whole gateway: %d, %v", version, global, err)
		}
	}
}
