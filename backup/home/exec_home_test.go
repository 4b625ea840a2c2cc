package home

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// inside answers what process 1 of a sandbox is, and then what startScript shows.
type inside struct {
	command string
	start   string
	err     error
}

func (s inside) Exec(_ context.Context, r openshell.ExecRequest) (openshell.ExecResult, error) {
	answer := s.start
	if r.Argv[0] == "cat" {
		answer = s.command
	}
	_, _ = io.WriteString(r.Stdout, answer)
	return openshell.ExecResult{}, s.err
}

// workload is process 1 of a sandbox of OpenShell 0.1, which does not say where the home is.
const workload = "/.openshell/runtime/openshell-sandbox\x00--bootstrap\x00/.openshell/channel/sandbox/bootstrap.json\x00"

// The home of a sandbox that has no container here is where its supervisor was told, and /sandbox where nothing says another.
func TestTheHomeThatIsFoundFromInside(t *testing.T) {
	for name, c := range map[string]struct {
		inside
		want string
	}{
		"a WORKDIR":           {inside{command: "/opt/openshell/bin/openshell-sandbox\x00--workdir\x00/app\x00"}, "/app"},
		"in one argument":     {inside{command: "openshell-sandbox\x00--workdir=/srv/agent\x00"}, "/srv/agent"},
		"an older supervisor": {inside{command: "/opt/openshell/bin/openshell-sandbox\x00"}, "/sandbox"},
		"another program":     {inside{command: "tini\x00--workdir\x00/app\x00"}, "/sandbox"},
		"no answer":           {inside{err: errors.New("supervisor relay failed")}, "/sandbox"},

		"0.1 in a WORKDIR":                {inside{command: workload, start: "/app\n/app\n"}, "/app"},
		"0.1 in a WORKDIR, and /sandbox":  {inside{command: workload, start: "/app/\n/app/\nthere\n"}, "/app"},
		"0.1 in /sandbox":                 {inside{command: workload, start: "\n/home/app\nthere\n"}, "/sandbox"},
		"0.1 in the root":                 {inside{command: workload, start: "/\n/home/app\nthere\n"}, "/sandbox"},
		"a pod whose image has a WORKDIR": {inside{command: "tini\x00", start: "/app\n/app\nmounted\n"}, "/sandbox"},
		"an older one in a WORKDIR":       {inside{command: "openshell-sandbox\x00", start: "/app\n/app\n"}, "/sandbox"},
	} {
		if got, err := FindExecHome(t.Context(), c.inside, sandbox.Sandbox{Name: "alpha"}); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	if _, err := FindExecHome(t.Context(), inside{command: "openshell-sandbox\x00--workdir\x00app\x00"}, sandbox.Sandbox{Name: "alpha"}); err == nil {
		t.Error("a home that is no absolute path is taken")
	}
	doubtful := inside{command: workload, start: "/app\n/home/app\nthere\n"}
	if got, err := FindExecHome(t.Context(), doubtful, sandbox.Sandbox{Name: "alpha"}); err == nil || !strings.Contains(err.Error(), "not known from inside") {
		t.Errorf("a home that may be two folders: %q, %v", got, err)
	}
}
