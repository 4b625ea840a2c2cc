package driver

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/lifecycle"
)

// TestARehearsalIsIdle: a throw-away sandbox has what a gateway could refuse, and nothing that an agent lives on.
func TestARehearsalIsIdle(t *testing.T) {
	part := func(number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	pair := func(name, value string) string { return string(append(part(1, name), part(2, value)...)) }
	spec := bytes.Join([][]byte{
		part(1, "debug"), part(5, pair("TOKEN", "s3cret")), part(7, "the policy"), part(8, "github"), part(12, "claude"), part(14, "epoch"),
		part(6, string(bytes.Join([][]byte{part(1, "img:1"), part(6, pair("KEY", "t0ken")), part(11, "mounts")}, nil))), part(999, "of the future"),
	}, nil)
	recipe := Recipe{Name: "alpha", Spec: spec, Labels: map[string]string{"team": "red"}, Providers: []string{"github"}, Command: []string{"claude"}}
	body, err := recipe.encode()
	if err != nil {
		t.Fatal(err)
	}
	request := lifecycle.Request{Name: "alpha", Gateway: "gw", Env: map[string]string{"TOKEN": "s3cret"}, Labels: recipe.Labels, Spec: body}
	for _, full := range []bool{false, true} {
		played, err := Rehearsal(request, "rehearse-1", full)
		if err != nil {
			t.Fatal(err)
		}
		made, err := DecodeRecipe(played.Spec)
		if err != nil || played.Name != "rehearse-1" || made.Name != "rehearse-1" || played.Labels[LabelRehearsal] != "alpha" || played.Labels["team"] != "red" {
			t.Errorf("full %v: %+v, %v", full, played, err)
		}
		if value, named := played.Env["TOKEN"]; !named || (value != "") != full {
			t.Errorf("full %v: environment %v", full, played.Env)
		}
		for _, gone := range []string{"s3cret", "t0ken", "github", "claude", "epoch"} {
			if bytes.Contains(made.Spec, []byte(gone)) != full {
				t.Errorf("full %v: %q in the spec: %q", full, gone, made.Spec)
			}
		}
		for _, kept := range []string{"debug", "the policy", "img:1", "mounts", "of the future"} {
			if !bytes.Contains(made.Spec, []byte(kept)) {
				t.Errorf("full %v: no %q in the spec: %q", full, kept, made.Spec)
			}
		}
		if bytes.Contains(made.Spec, []byte("infinity")) == full {
			t.Errorf("full %v: the command is in %q", full, made.Spec)
		}
	}
	if request.Env["TOKEN"] != "s3cret" || request.Labels[LabelRehearsal] != "" {
		t.Errorf("the request itself has changed: %+v", request)
	}
}
