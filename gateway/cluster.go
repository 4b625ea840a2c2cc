package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/openshell"
)

// cluster looks at the legacy cluster container of the target. It is active only when it runs, publishes the gateway's
// port, and the gateway answers under its name: a stopped leftover proves nothing and hides nothing
// (docs/facts/nemoclaw.md 5).
func (l *look) cluster(ctx context.Context) Cluster {
	c := l.namedCluster(ctx)
	if c.Active {
		return c
	}
	if other, found := l.gatewayContainer(ctx); found && other.Container != c.Container {
		return other
	}
	return c
}

func (l *look) namedCluster(ctx context.Context) Cluster {
	c := Cluster{}
	c.Container = "openshell-cluster-" + l.target.Name
	engines := l.engines()
	if len(engines.All()) == 0 {
		_, s := engines.Main()
		c.Evidence = drift.Evidence{State: s.State, Why: s.Why}
		return c
	}

	inspected, err := inspectOn(ctx, engines, c.Container)
	if errors.Is(err, fs.ErrNotExist) {
		c.Evidence = absent("no container %s on %s", c.Container, engines.LookedAt())
		return c
	}
	if err != nil {
		c.Evidence = unknown("%w", err)
		return c
	}
	c.Image, c.Running, c.Ports = inspected.Image, inspected.Running() || inspected.Paused(), inspected.Ports
	c.Evidence = imageEvidence(c.Image)
	c.Active = c.Running && len(c.Ports) > 0 && l.serves(ctx, c.Ports)
	return c
}

// inspectOn looks for a container by name on each engine. The error wraps fs.ErrNotExist when none has it.
func inspectOn(ctx context.Context, engines engine.Engines, name string) (engine.Container, error) {
	var problem error
	for _, e := range engines.All() {
		found, err := e.Inspect(ctx, name)
		if err == nil {
			return found, nil
		}
		if problem == nil || errors.Is(problem, fs.ErrNotExist) {
			problem = err
		}
	}
	return engine.Container{}, problem
}

func imageEvidence(ref string) drift.Evidence {
	if version, ok := drift.ImageVersion(ref); ok {
		return drift.Evidence{State: drift.Known, Version: version}
	}
	return unknown("image %q carries no OpenShell version", ref)
}

// serves reports whether the gateway answers under its name on one of the ports. "connected_http" counts: somebody
// serves there.
func (l *look) serves(ctx context.Context, ports []int) bool {
	cli, err := l.cli()
	if err != nil {
		return false
	}
	t, a := l.target, l.status()
	if a.silent() {
		info, err := cli.GatewayInfo(ctx, t.Name)
		return err == nil && info.Name == t.Name && slices.Contains(ports, info.Port)
	}
	return l.answersAsNamed() && slices.Contains(ports, endpointPort(ctx, t, cli, a))
}

// endpointPort is the port of t's endpoint as the first of these says: the CLI's registration, its status, info, list;
// 0 when none does.
func endpointPort(ctx context.Context, t Target, cli *openshell.CLI, a servedAnswer) int {
	if t.Endpoint != "" && t.Port != 0 {
		return t.Port
	}
	if port := openshell.PortOf(a.Server); port != 0 {
		return port
	}
	if info, err := cli.GatewayInfo(ctx, t.Name); err == nil && info.Name == t.Name && info.Port != 0 {
		return info.Port
	}
	list, err := cli.Gateways(ctx)
	if err != nil {
		return 0
	}
	for _, registered := range list {
		if registered.Name == t.Name {
			return registered.Port
		}
	}

	return 0
}

// describeCluster is the container's evidence in words.
func describeCluster(c Cluster) string {
	switch {
	case c.Image == "":
		return c.Why
	case !c.Active && c.Gateway:
		return fmt.Sprintf("%s (image %s) leads to the gateway's port and does not answer as one", c.Container, c.Image)
	case !c.Active:
		return fmt.Sprintf("%s exists (image %s) but does not serve this gateway", c.Container, c.Image)
	}
	return fmt.Sprintf("%s serves from image %s", c.Container, c.Image)
}
