package classify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/command"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/test/e2e/gateway"
)

// answering is a gateway whose sandboxes run one command only.
type answering struct{ *gateway.Memory }

func (answering) Exec(_ context.Context, _ gateway.Sandbox, e gateway.Exec) (int, error) {
	_, err := io.WriteString(e.Stdout, "from the gateway")
	return 0, err
}

// probesAt are probes of a host whose gateway is served, and whose openshell says so of itself.
func probesAt(t *testing.T, served gateway.Backend, asked *[]string) Probes {
	t.Helper()
	home := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&gateway.Server{Version: "0.0.110", Backend: served}).Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-done })
	registration, err := json.Marshal(map[string]string{"name": "gw", "gateway_endpoint": "http://" + l.Addr().String(), "auth_mode": "plaintext"})
	folder := filepath.Join(home, ".config/openshell/gateways/gw")
	if err := errors.Join(err, os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "metadata.json"), registration, 0o600)); err != nil {
		t.Fatal(err)
	}
	e := env.Parse([]string{"HOME=" + home})
	cli := &openshell.CLI{Path: "/nowhere/openshell", Env: e, Run: func(_ context.Context, c command.Command) (command.Result, error) {
		*asked = append(*asked, c.Args...)
		_, err := io.WriteString(c.Stdout, "from the command line")
		return command.Result{}, err
	}}
	return Probes{Env: e, CLI: cli, Gateways: &driver.Gateways{
		Open: func(ctx context.Context, name string) (*openshell.API, error) {
			return openshell.Connect(ctx, e, name, "0.0.110")
		},
	}}
}

// The command line leaves a trace in its configuration, so it is asked only where the gateway's API says nothing of the sandbox.
func TestTheVersionProbeAsksTheGatewayBeforeTheCommandLine(t *testing.T) {
	alpha := gateway.Sandbox{ID: "id-a", Name: "alpha", Phase: gateway.Ready, Created: time.Unix(1782000000, 0)}
	for want, served := range map[string]gateway.Backend{
		"from the gateway":      answering{gateway.NewMemory(alpha)},
		"from the command line": answering{gateway.NewMemory()},
	} {
		t.Run(want, func(t *testing.T) {
			var asked []string
			p := probesAt(t, served, &asked)
			sb := sandbox.Sandbox{Name: "alpha", ID: "id-a", Gateway: "gw", Listed: true, Phase: "Ready"}
			got, err := p.Agent(t.Context(), sb, []string{"openclaw", "--version"})
			if err != nil || got != want {
				t.Errorf("agent = %q, %v", got, err)
			}
			if (len(asked) > 0) != (want == "from the command line") {
				t.Errorf("the command line was asked: %q", asked)
			}
		})
	}
}

// A command that the gateway ran and that failed is an answer.
func TestTheVersionProbeDoesNotAskTwice(t *testing.T) {
	var asked []string
	p := probesAt(t, gateway.NewMemory(gateway.Sandbox{ID: "id-a", Name: "alpha", Phase: gateway.Ready}), &asked)
	sb := sandbox.Sandbox{Name: "alpha", ID: "id-a", Gateway: "gw", Listed: true, Phase: "Ready"}
	if got, err := p.Agent(t.Context(), sb, []string{"openclaw", "--version"}); err == nil || len(asked) > 0 {
		t.Errorf("agent = %q, %v; the command line was asked: %q", got, err, asked)
	}
}

// TestAStoppedSandboxWithoutASupervisorIsNamed: "file does not exist" would say nothing to anybody.
func TestAStoppedSandboxWithoutASupervisorIsNamed(t *testing.T) {
	sb := sandbox.Sandbox{Name: "alpha", Container: &engine.Container{Name: "openshell-alpha", State: "exited"}}
	got, err := Probes{}.Supervisor(t.Context(), sb)
	if got.String() != "" || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `container "openshell-alpha" does not run, and has no supervisor mounted`) {
		t.Errorf("supervisor = %q, %v", got, err)
	}
}

// TestEachEnginesOwnImageCounts: under one name two engines of a host have two images, and a sandbox is compared with
// the one that its own engine has.
func TestEachEnginesOwnImageCounts(t *testing.T) {
	daemons := []*dockertest.Daemon{dockertest.Start(t), dockertest.Start(t)}
	daemons[1].Become("OTHER")
	var hosts []string
	for i, d := range daemons {
		hosts = append(hosts, d.Host())
		name := []string{"alpha", "beta"}[i]
		d.Add(dockertest.Container{
			Name: "openshell-" + name, Image: "claw:1", ImageID: "sha256:" + strings.Repeat(string('a'+rune(i)), 64),
			Labels: map[string]string{engine.LabelManagedBy: "openshell", engine.LabelSandboxName: name, engine.LabelSandboxID: "id-" + name},
		})
	}
	engines := engine.Open(t.Context(), engine.Dialing{Env: env.Parse([]string{"SANDKEEPER_ENGINES=" + strings.Join(hosts, ",")})})
	containers, err := engines.Sandboxes(t.Context())
	if err != nil || len(containers) != 2 {
		t.Fatal(containers, err)
	}
	look := Probes{Engines: engines}
	in := Input{ImageID: look.ImageID, Inspect: look.Inspect}
	for _, c := range containers {
		in.Inventory.Sandboxes = append(in.Inventory.Sandboxes, sandbox.Sandbox{Name: c.SandboxName, Container: &c, Standing: sandbox.Ready})
	}
	summary, err := Sandboxes(t.Context(), in)
	if err != nil || summary.Totals.Current != 2 {
		t.Errorf("%+v, %v", summary, err)
	}
	for _, sb := range in.Inventory.Sandboxes {
		if c, err := look.Inspect(t.Context(), sb); err != nil || c.SandboxName != sb.Name {
			t.Errorf("%s: %+v, %v", sb.Name, c, err)
		}
	}
}
