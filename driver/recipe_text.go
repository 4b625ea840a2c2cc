package driver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/lifecycle"
)

// templateEnvironment is the number of the environment in SandboxTemplate, the same in every generation
// (docs/facts/openshell.md 3.2).
const templateEnvironment = 6

// recipeSchema is the version of the text of a recipe.
const recipeSchema = 1

// recipeText is a recipe as backups keep it.
type recipeText struct {
	Schema int `json:"schema"`
	Recipe
}

// Text is the whole recipe, values included, as a backup keeps it in a file of its own.
func (r Recipe) Text() ([]byte, error) {
	text, err := json.MarshalIndent(recipeText{Schema: recipeSchema, Recipe: r}, "", "  ")
	return append(text, '\n'), err
}

// ReadRecipe reads what Text wrote. A text of another schema is refused.
func ReadRecipe(text []byte) (Recipe, error) {
	var t recipeText
	if err := json.Unmarshal(text, &t); err != nil {
		return Recipe{}, fmt.Errorf("the recipe cannot be read: %w", err)
	}
	if t.Schema != recipeSchema {
		return Recipe{}, fmt.Errorf("the recipe is of schema %d, and this program reads %d", t.Schema, recipeSchema)
	}
	if t.Name == "" || len(t.Spec) == 0 {
		return Recipe{}, errors.New("the recipe names no sandbox, or nothing to make it from")
	}
	return t.Recipe, nil
}

// WithheldText is the text of a recipe without the values of its environment.
func WithheldText(text []byte) ([]byte, error) {
	r, err := ReadRecipe(text)
	if err == nil {
		r, err = r.Without()
	}
	if err != nil {
		return nil, err
	}
	return r.Text()
}

// Without is the recipe without its environment: the variables are named in Withheld.
func (r Recipe) Without() (Recipe, error) {
	fields, err := splitMessage(r.Spec)
	if err != nil {
		return r, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	names := map[string]bool{}
	if fields, err = withoutPairs(fields, specEnvironment, names); err != nil {
		return r, fmt.Errorf("recipe of sandbox %q: environment: %w", r.Name, err)
	}
	for i, f := range fields {
		if f.number != specTemplate || f.kind != protowire.BytesType {
			continue
		}
		template, err := splitMessage(f.value)
		if err == nil {
			template, err = withoutPairs(template, templateEnvironment, names)
		}
		if err != nil {
			return r, fmt.Errorf("recipe of sandbox %q: template: %w", r.Name, err)
		}
		fields[i].value = joinMessage(template)
	}

	for _, name := range r.Withheld {
		names[name] = true
	}
	r.Spec, r.EnvNames, r.Withheld = joinMessage(fields), nil, slices.Sorted(maps.Keys(names))
	r.Added = slices.DeleteFunc(slices.Clone(r.Added), func(a lifecycle.Addition) bool { return a.Kind == "env" })
	return r, nil
}

// withoutPairs takes the map with that number out of a message, and notes the keys.
func withoutPairs(fields []field, number protowire.Number, names map[string]bool) ([]field, error) {
	var left []field
	for _, f := range fields {
		if f.number != number || f.kind != protowire.BytesType {
			left = append(left, f)
			continue
		}
		pair, err := splitMessage(f.value)
		if err != nil {
			return nil, err
		}
		for _, part := range pair {
			if part.number == 1 {
				names[string(part.value)] = true
			}
		}
	}
	return left, nil
}
