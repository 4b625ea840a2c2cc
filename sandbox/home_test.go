package sandbox

import (
	"strings"
	"testing"
)

func TestHome(t *testing.T) {
	old := func(args ...string) []string {
		return append([]string{"/opt/openshell/bin/openshell-sandbox"}, args...)
	}
	beside := func(args ...string) []string { return append([]string{"/openshell-supervisor"}, args...) }
	workload := []string{"/.openshell/runtime/openshell-sandbox", "--bootstrap", "/.openshell/channel/sandbox/bootstrap.json"}
	for name, c := range map[string]struct {
		e    HomeEvidence
		want string // "!" and a word of the error
	}{
		"nothing known":                     {HomeEvidence{}, "/sandbox"},
		"as recorded of 0.0.110":            {HomeEvidence{Command: old("--workdir", "/app"), ImageWorkdir: "/no"}, "/app"},
		"with an equals sign":               {HomeEvidence{Command: old("--workdir=/app")}, "/app"},
		"0.0.98 and older":                  {HomeEvidence{Command: old(), ImageWorkdir: "/app"}, "/sandbox"},
		"the agent's own --workdir":         {HomeEvidence{Command: old("--", "tool", "--workdir", "/x")}, "/sandbox"},
		"another program's --workdir":       {HomeEvidence{Command: []string{"tool", "--workdir", "/x"}}, "/sandbox"},
		"an argument without value":         {HomeEvidence{Command: old("--workdir")}, "/sandbox"},
		"companion":                         {HomeEvidence{Pair: true, Companion: beside("--a", "--workdir", "/app"), Command: workload, WorkspaceRoot: "/no", ImageWorkdir: "/no"}, "/app"},
		"stopped, as the gateway noted":     {HomeEvidence{Pair: true, Command: workload, WorkspaceRoot: "/app", ImageWorkdir: "/no"}, "/app"},
		"stopped, the image decides":        {HomeEvidence{Pair: true, Command: workload, ImageWorkdir: "/app/"}, "/app"},
		"stopped, the image names the root": {HomeEvidence{Pair: true, Command: workload, ImageWorkdir: "/"}, "/sandbox"},
		"stopped, the image names nothing":  {HomeEvidence{Pair: true, Command: workload}, "/sandbox"},
		"not a supervisor, image decides":   {HomeEvidence{Command: []string{"sleep"}, ImageWorkdir: "/app"}, "/app"},
		"podman":                            {HomeEvidence{Podman: true, Pair: true, Companion: beside("--workdir", "/x"), ImageWorkdir: "/app"}, "/sandbox"},
		"relative":                          {HomeEvidence{Pair: true, ImageWorkdir: "app"}, "!absolute"},
		"the supervisor's own files":        {HomeEvidence{Pair: true, ImageWorkdir: "/x/../.openshell/runtime"}, "!OpenShell keeps"},
		"a name like the supervisor's":      {HomeEvidence{Pair: true, ImageWorkdir: "/.openshell2"}, "/.openshell2"},
	} {
		got, err := Home(c.e)
		if word, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}
