package gateway

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

func TestRecipe(t *testing.T) {
	want := Sandbox{Image: "img:1", Environment: map[string]string{"B": "2", "A": "1"}}
	got, err := recipeOf(want.spec("0.0.110"))
	if err != nil || got.image != "img:1" || strings.Join(pairsOf(got.environment), " ") != "A=1 B=2" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := recipeOf([]byte{0x0f}); err == nil {
		t.Error("a broken spec passes")
	}
}

// TestRecipeOfATemplate holds that the container gets the template's labels and the docker driver's mounts, and no other driver's.
func TestRecipeOfATemplate(t *testing.T) {
	bind := func(source string, more map[string]any) map[string]any {
		m := map[string]any{"type": "bind", "source": source, "target": "/t" + source}
		for key, value := range more {
			m[key] = value
		}
		return m
	}
	config, err := structpb.NewStruct(map[string]any{
		"docker": map[string]any{"mounts": []any{bind("/a", nil), bind("/b", map[string]any{"read_only": false})}},
		"podman": map[string]any{"mounts": []any{bind("/c", nil)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := proto.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var spec, template message
	template.text(1, "img:1")
	template.pairs(4, map[string]string{"team": "red"})
	template.embed(11, encoded)
	spec.embed(6, template)
	got, err := recipeOf(spec)
	want := []mount.Mount{{Type: "bind", Source: "/a", Target: "/t/a", ReadOnly: true}, {Type: "bind", Source: "/b", Target: "/t/b"}}
	if diff := cmp.Diff(want, got.mounts); err != nil || diff != "" || got.labels["team"] != "red" {
		t.Errorf("%v, labels %v, mounts %s", err, got.labels, diff)
	}
	var broken, wrong message
	wrong.embed(11, message{0x0f})
	broken.embed(6, wrong)
	if _, err := recipeOf(broken); err == nil {
		t.Error("a broken driver_config passes")
	}
}
