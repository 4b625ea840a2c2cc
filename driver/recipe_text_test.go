package driver

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecipeIsKeptWhole(t *testing.T) {
	recipe := Recipe{SandboxID: "id-1", Name: "alpha", Gateway: "gw", Spec: specOf("img:1"), Phase: "Ready", Served: "0.1.2", EnvNames: []string{"TOKEN"}}
	text, err := recipe.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecipe(text)
	if diff := cmp.Diff(recipe, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, broken := range []string{"", "{}", "no", strings.Replace(string(text), `"schema": 1`, `"schema": 2`, 1), `{"schema":1,"name":"alpha"}`} {
		if _, err := ReadRecipe([]byte(broken)); err == nil {
			t.Errorf("%q was taken for a recipe", broken)
		}
	}
}

// Of a scrubbed recipe no value is left, also none of the template, and every name is.
func TestScrubbedRecipeNamesWhatItLacks(t *testing.T) {
	pair := string(textField(textField(nil, 1, "INNER"), 2, "s3cret"))
	template := textField(textField(textField(nil, templateImage, "img:1"), templateEnvironment, pair), 2, "runc")
	spec := textField(specOf("img:1"), specTemplate, string(template))
	text, err := Recipe{Name: "alpha", Spec: spec, EnvNames: []string{"TOKEN"}}.Text()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what was scrubbed already stays so
		if text, err = WithheldText(text); err != nil {
			t.Fatal(err)
		}
		got, err := ReadRecipe(text)
		if err != nil || bytes.Contains(got.Spec, []byte("s3cret")) || !slices.Equal(got.Withheld, []string{"INNER", "TOKEN"}) || len(got.EnvNames) > 0 {
			t.Errorf("%q, withheld %q, names %q, %v", got.Spec, got.Withheld, got.EnvNames, err)
		}
		if !bytes.Contains(got.Spec, []byte("from the future")) || !bytes.Contains(got.Spec, []byte("runc")) {
			t.Errorf("more was taken out than the environment: %q", got.Spec)
		}
	}
}
