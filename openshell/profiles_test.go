package openshell

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/command"
)

// answers is a CLI that answers by the beginning of its arguments.
func profileCLI(answers map[string]command.Result) *CLI {
	return &CLI{Path: "/bin/openshell", Run: func(_ context.Context, c command.Command) (command.Result, error) {
		line := strings.Join(c.Args, " ")
		for beginning, result := range answers {
			if strings.HasPrefix(line, beginning) {
				return result, nil
			}
		}
		return command.Result{Exit: 2, Stderr: []byte("error: unrecognized subcommand")}, nil
	}}
}

func TestProviderProfiles(t *testing.T) {
	help := command.Result{Stdout: []byte("Usage: openshell provider profile export [OPTIONS] <ID>\n")}
	list := command.Result{Stdout: []byte(`[{"name":"a","type":"nvidia"},{"name":"b","type":"nvidia"},{"name":"c","type":"../x"},{"name":"d","type":"--global"},{"name":"e","type":"github"}]`)}
	for name, test := range map[string]struct {
		answers  map[string]command.Result
		profiles map[string][]byte
		missing  []string
	}{
		"exported": {
			map[string]command.Result{
				"provider profile export --help": help, "provider list": list,
				"provider profile export nvidia -o yaml --global -g nemoclaw": {Stdout: []byte("id: nvidia\n")},
			},
			map[string][]byte{"nvidia": []byte("id: nvidia\n")},
			[]string{"github"},
		},
		"an old CLI":        {nil, map[string][]byte{}, nil},
		"no list":           {map[string]command.Result{"provider profile export --help": help}, map[string][]byte{}, []string{"*"}},
		"a list of nothing": {map[string]command.Result{"provider profile export --help": help, "provider list": {Stdout: []byte("none")}}, map[string][]byte{}, []string{"*"}},
	} {
		profiles, missing := profileCLI(test.answers).ProviderProfiles(t.Context(), "nemoclaw")
		if diff := cmp.Diff(test.profiles, profiles); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if len(missing) != len(test.missing) {
			t.Errorf("%s: missing %v, want %v", name, missing, test.missing)
		}
		for _, id := range test.missing {
			if missing[id] == "" {
				t.Errorf("%s: no reason for %q: %v", name, id, missing)
			}
		}
	}
}

func TestProvidersOfBothGenerations(t *testing.T) {
	want := []ProviderRecord{{Name: "hub", Workspace: "team2", Type: "github", Credentials: []string{"GITHUB_TOKEN"}}}
	one := `{"id":"1","name":"hub","workspace":"team2","type":"github","credential_keys":["GITHUB_TOKEN"]}`
	for name, output := range map[string]string{"0.0.x": "[" + one + "]", "0.1.x": ` {"providers":[` + one + "]}"} {
		cli := profileCLI(map[string]command.Result{"provider list -o json --workspace team2 -g gw": {Stdout: []byte(output)}})
		got, err := cli.ProviderRecords(t.Context(), "gw", "team2")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	cli := profileCLI(map[string]command.Result{"provider list": {Stdout: []byte("none")}})
	if _, err := cli.ProviderRecords(t.Context(), "gw", ""); err == nil {
		t.Error("what is no list is taken for an empty one")
	}
}
