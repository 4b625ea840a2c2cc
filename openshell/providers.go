package openshell

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// ProviderRecord is a provider as `openshell provider list` shows it: credentials by name, never by value
// (docs/facts/openshell.md 2.4).
type ProviderRecord struct {
	Name        string   `json:"name"`
	Workspace   string   `json:"workspace"`
	Type        string   `json:"type"`
	Credentials []string `json:"credential_keys"`
}

// ProviderRecords lists the providers of one workspace; "" is the CLI's own. It needs a CLI of 0.0.64 or newer.
func (c *CLI) ProviderRecords(ctx context.Context, gateway, workspace string) ([]ProviderRecord, error) {
	args := []string{"-o", "json"}
	if workspace != "" && c.may(88) {
		args = append(args, "--workspace", workspace)
	}
	result, err := c.ask(ctx, "provider list", gateway, args...)
	if err != nil {
		return nil, err
	}
	return parseProviders(result.Stdout)
}

// parseProviders reads a list, which 0.1.x wraps in an object.
func parseProviders(output []byte) ([]ProviderRecord, error) {
	var wrapped struct{ Providers []ProviderRecord }
	into := any(&wrapped.Providers)
	if bytes.HasPrefix(bytes.TrimSpace(output), []byte("{")) {
		into = &wrapped
	}
	if err := json.Unmarshal(output, into); err != nil {
		return nil, fmt.Errorf("the list of providers cannot be read: %w", err)
	}
	return wrapped.Providers, nil
}
