package home

import (
	"context"
	"errors"
	"io"
	"testing"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// inside answers what process 1 of a sandbox is.
type inside struct {
	command string
	err     error
}

func (s inside) Exec(_ context.Context, r openshell.ExecRequest) (openshell.ExecResult, error) {
	_, _ = io.WriteString(r.Stdout, s.command)
	return openshell.ExecResult{}, s.err
}

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
	} {
		if got, err := FindExecHome(t.Context(), c.inside, sandbox.Sandbox{Name: "alpha"}); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	if _, err := FindExecHome(t.Context(), inside{command: "openshell-sandbox\x00--workdir\x00app\x00"}, sandbox.Sandbox{Name: "alpha"}); err == nil {
		t.Error("a home that is no absolute path is taken")
	}
}
