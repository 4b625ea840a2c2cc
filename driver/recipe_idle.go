package driver

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/lifecycle"
)

// Numbers of further fields of SandboxSpec; they are the same in every generation that has them
// (docs/facts/openshell.md 3.2).
const (
	specProviders       = 8
	specCommand         = 12
	specTerminal        = 13
	specAttachmentEpoch = 14
)

// Idle is the same recipe for a sandbox in which no agent comes to life: it has no provider, no value of the
// environment, and where the recipe has a command, one that sleeps. What a gateway could refuse (image, policy,
// resources, driver configuration) is in it.
func (r Recipe) Idle() (Recipe, error) {
	r, err := r.Without()
	if err != nil {
		return r, err
	}
	fields, err := splitMessage(r.Spec)
	if err != nil {
		return r, fmt.Errorf("recipe of sandbox %q: %w", r.Name, err)
	}
	commanded := slices.ContainsFunc(fields, func(f field) bool { return f.number == specCommand })
	fields = slices.DeleteFunc(fields, func(f field) bool {
		return slices.Contains([]protowire.Number{specProviders, specCommand, specTerminal, specAttachmentEpoch}, f.number)
	})
	if commanded {
		for _, word := range []string{"sleep", "infinity"} {
			fields = append(fields, field{number: specCommand, kind: protowire.BytesType, value: []byte(word)})
		}
	}

	r.Spec, r.Providers, r.Command, r.Withheld = joinMessage(fields), nil, nil, nil
	return r, nil
}

// LabelRehearsal marks a throw-away sandbox and its container; its value is the name of the sandbox that is rehearsed.
const LabelRehearsal = "sandkeeper.io/rehearsal-of"

// Rehearsal is a request for a throw-away sandbox by the same recipe under another name. Unless full is set it is idle,
// and its environment has the names that it had, for a gateway may refuse one, without their values.
func Rehearsal(request lifecycle.Request, name string, full bool) (lifecycle.Request, error) {
	recipe, err := DecodeRecipe(request.Spec)
	if err == nil && !full {
		recipe, err = recipe.Idle()
	}
	if err != nil {
		return request, err
	}
	played := request
	recipe.Name, played.Name = name, name
	if played.Spec, err = recipe.encode(); err != nil {
		return request, err
	}
	played.Labels = map[string]string{}
	maps.Copy(played.Labels, request.Labels)
	played.Labels[LabelRehearsal] = request.Name
	if !full {
		played.Env = map[string]string{}
		for variable := range request.Env {
			played.Env[variable] = ""
		}
	}

	return played, nil
}
