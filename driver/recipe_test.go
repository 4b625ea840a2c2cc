package driver

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

func textField(message []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(message, number, protowire.BytesType), value)
}

// specOf is a SandboxSpec with an image, one variable, a varint and a field that no generation has yet.
func specOf(image string) []byte {
	template := textField(textField(nil, templateImage, image), 2, "runc")
	spec := textField(nil, 1, "info")
	spec = textField(spec, specEnvironment, string(textField(textField(nil, 1, "TOKEN"), 2, "s3cret")))
	spec = textField(spec, specTemplate, string(template))
	spec = protowire.AppendVarint(protowire.AppendTag(spec, 13, protowire.VarintType), 1)
	return textField(spec, 999, "from the future")
}

func TestAnotherImageChangesNothingElse(t *testing.T) {
	old := Recipe{Name: "alpha", Image: "img:1", Spec: specOf("img:1")}
	got, err := old.With("sandkeeper-rollback/alpha:x")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Spec, specOf("sandkeeper-rollback/alpha:x")) || got.Image != "sandkeeper-rollback/alpha:x" {
		t.Errorf("With = %q", got.Spec)
	}
	if !bytes.Equal(old.Spec, specOf("img:1")) {
		t.Error("With changed the recipe that it was called on")
	}
	empty, err := Recipe{}.With("img:2")
	if want := textField(nil, specTemplate, string(textField(nil, templateImage, "img:2"))); err != nil || !bytes.Equal(empty.Spec, want) {
		t.Errorf("With of an empty recipe = %q, %v, want %q", empty.Spec, err, want)
	}
	// A message that is there twice is merged by every reader: the last image counts.
	twice := append(specOf("img:1"), textField(nil, specTemplate, string(textField(nil, templateImage, "img:9")))...)
	merged, err := Recipe{Spec: twice}.With("img:3")
	if err != nil || bytes.Contains(merged.Spec, []byte("img:1")) || bytes.Contains(merged.Spec, []byte("img:9")) || bytes.Count(merged.Spec, []byte("img:3")) != 1 {
		t.Errorf("With of two templates = %q, %v", merged.Spec, err)
	}
	for _, broken := range [][]byte{{0xff}, textField(nil, specTemplate, "\xff")} {
		if _, err := (Recipe{Name: "alpha", Spec: broken}).With("x"); err == nil {
			t.Errorf("With took %q for a spec", broken)
		}
	}
}

func TestRequestCarriesTheRecipe(t *testing.T) {
	recipe := Recipe{
		SandboxID: "id-1", Name: "alpha", Gateway: "nemoclaw", Workspace: "team", Image: "img:1", Spec: specOf("img:1"),
		Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"c": "d"}, EnvNames: []string{"TOKEN"},
		Providers: []string{"p"}, Command: []string{"run"}, Policy: []byte{1, 2},
	}
	request, err := recipe.Request()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"TOKEN": "s3cret"}, request.Env); diff != "" || request.ID != "" || request.Labels["a"] != "b" || request.Annotations["c"] != "d" {
		t.Errorf("Request = %+v\n%s", request, diff)
	}
	back, err := DecodeRecipe(request.Spec)
	if diff := cmp.Diff(recipe, back); err != nil || diff != "" {
		t.Errorf("DecodeRecipe: %v\n%s", err, diff)
	}
	if _, err := DecodeRecipe([]byte("no")); err == nil {
		t.Error("DecodeRecipe took nonsense for a recipe")
	}
	if _, err := (Recipe{Spec: []byte{0xff}}).Request(); err == nil {
		t.Error("Request took nonsense for a spec")
	}
}

func FuzzRecipeWith(f *testing.F) {
	f.Add(specOf("img:1"))
	f.Add([]byte{})
	f.Add([]byte{0x32, 0x00, 0x32, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, spec []byte) {
		got, err := Recipe{Spec: spec}.With("img:2")
		if err != nil {
			return
		}
		again, err := got.With("img:2")
		if err != nil || !bytes.Equal(got.Spec, again.Spec) {
			t.Fatalf("With is not idempotent: %q then %q, %v", got.Spec, again.Spec, err)
		}
		if _, err := got.Environment(); err != nil {
			if _, before := (Recipe{Spec: spec}).Environment(); before == nil {
				t.Fatalf("With broke the environment: %v", err)
			}
		}
	})
}
