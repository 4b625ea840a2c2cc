package openshell

import (
	"context"

	"sandkeeper/internal/text"
)

// HostSettings are the settings and the exposed services of a gateway as the CLI prints them, by the name of a file.
// What the CLI or the gateway does not give is in missing, with the reason.
func (c *CLI) HostSettings(ctx context.Context, gateway string) (files map[string][]byte, missing map[string]string) {
	files, missing = map[string][]byte{}, map[string]string{}
	for _, asked := range []struct {
		file, op string
		args     []string
		since    uint64
	}{
		{"settings.json", "settings get", []string{"--global", "--json"}, 13},
		{"services.txt", "service list", []string{"--all-workspaces"}, 88},
	} {
		if !c.may(asked.since) {
			continue
		}
		result, err := c.ask(ctx, asked.op, gateway, asked.args...)
		if err != nil {
			missing[asked.file] = text.OneLine(err.Error(), 200)
			continue
		}
		files[asked.file] = []byte(text.StripANSI(string(result.Stdout)))
	}
	return files, missing
}
