package openshell

import (
	"context"
	"slices"
	"strings"

	"sandkeeper/internal/text"
)

// profileLimit bounds how many provider profiles are exported.
const profileLimit = 50

// ProviderProfiles exports the profiles that the gateway's providers are of, by id, as YAML; never a credential: the
// CLI cannot export those (docs/facts/openshell.md 2.4). A CLI without the command gives none. What could not be
// exported is in missing, with the reason.
func (c *CLI) ProviderProfiles(ctx context.Context, gateway string) (profiles map[string][]byte, missing map[string]string) {
	profiles, missing = map[string][]byte{}, map[string]string{}
	if !c.Has(ctx, "provider", "profile", "export") {
		return profiles, missing
	}
	result, err := c.ask(ctx, "provider list", gateway, "-o", "json")
	if err != nil {
		missing["*"] = text.OneLine(err.Error(), 200)
		return profiles, missing
	}
	kinds, err := parseProviderTypes(result.Stdout)
	if err != nil {
		missing["*"] = err.Error()
	}
	for _, kind := range kinds {
		result, err := c.ask(ctx, "provider profile export", gateway, kind, "-o", "yaml", "--global")
		switch {
		case err != nil:
			missing[kind] = text.OneLine(err.Error(), 200)
		case len(result.Stdout) == 0:
			missing[kind] = "nothing was printed"
		default:
			profiles[kind] = result.Stdout
		}
	}

	return profiles, missing
}

// parseProviderTypes are the distinct types of what `provider list -o json` prints. A type becomes an argument and a
// file name: a type that could be anything else is left out.
func parseProviderTypes(output []byte) ([]string, error) {
	list, err := parseProviders(output)
	if err != nil {
		return nil, err
	}
	var types []string
	for _, provider := range list {
		if profileName(provider.Type) && !slices.Contains(types, provider.Type) && len(types) < profileLimit {
			types = append(types, provider.Type)
		}
	}

	slices.Sort(types)
	return types, nil
}

// profileName is lower-case letters, digits and hyphens within.
func profileName(text string) bool {
	return text != "" && len(text) <= 64 && text[0] != '-' && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}
