package gateway

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/engine"
)

// Maker says by what a container was made, and so how it is made again.
type Maker struct {
	Compose string // the service of a compose project; "" when none made it
	Project string
	Files   string // the project's files, separated by commas
	Unit    string // the systemd unit of a Podman container
	UserRun bool   // the unit is one of the user's own
	Cluster bool   // it is a node of a Kubernetes cluster (kind, k3d): the gateway is a workload in it
	Podman  bool
}

// gatewayContainer is the container that answers at the gateway's port: it publishes the port, or uses the network of
// the host and its process holds it. It is judged by its image, as a cluster container is; the files and processes of
// this host are no evidence of it.
func (l *look) gatewayContainer(ctx context.Context) (Cluster, bool) {
	if l.target.Port == 0 || l.live().found != nil {
		return Cluster{}, false
	}
	for _, e := range l.engines().All() {
		found, err := e.AtPort(ctx, l.target.Port)
		if err != nil {
			continue // the engine's own probe says that it does not list
		}
		for _, c := range found {
			if !c.HostNetwork || l.holdsPort(c) {
				return l.judgeContainer(ctx, e, c), true
			}
		}
	}
	return Cluster{}, false
}

// holdsPort reports whether a process of c, which is on the host's network, holds the gateway's port. Where nobody may
// see whose socket it is, a container that runs a gateway is taken for its holder.
func (l *look) holdsPort(c engine.Container) bool {
	return slices.ContainsFunc(l.live().holders, func(h Holder) bool {
		return h.Container == c.ID || h.PID == 0 && runsGateway(c)
	})
}

func runsGateway(c engine.Container) bool {
	return slices.ContainsFunc(c.Command, func(word string) bool { return filepath.Base(word) == gatewayProgram })
}

func (l *look) judgeContainer(ctx context.Context, e *engine.Engine, c engine.Container) Cluster {
	found := Cluster{Running: true, Ports: c.Ports, Gateway: true, Maker: makerOf(c, e)}
	found.Container, found.Image = c.Name, c.Image
	found.Evidence = l.containerVersion(ctx, e, c)
	named := found.State == drift.Known || runsGateway(c)
	found.Active = named || l.answersAsNamed()
	return found
}

// containerVersion is the version of the image that c runs: by its reference while that still names the same image,
// else by another name of the image, else by its label.
func (l *look) containerVersion(ctx context.Context, e *engine.Engine, c engine.Container) drift.Evidence {
	id, err := e.ImageID(ctx, c.Image)
	moved := err == nil && c.ImageID != "" && id != c.ImageID
	if evidence := imageEvidence(c.Image); evidence.State == drift.Known && !moved {
		return evidence
	}
	names, label, err := e.ImageNames(ctx, c.ImageID)
	if err != nil {
		return unknown("image %q carries no OpenShell version, and the engine does not tell of image %s: %w", c.Image, c.ImageID, err)
	}
	for _, name := range names {
		if evidence := imageEvidence(name); evidence.State == drift.Known {
			return evidence
		}
	}

	if version, ok := drift.Parse(label); ok && version.Known() && (runsGateway(c) || strings.Contains(c.Image, "openshell")) {
		return drift.Evidence{State: drift.Known, Version: version}
	}
	if moved {
		return unknown("image %q is another one by now than container %q runs (%s)", c.Image, c.Name, c.ImageID)
	}
	return imageEvidence(c.Image)
}

// answersAsNamed reports whether the gateway answers under its name. "connected_http" counts: somebody serves there.
func (l *look) answersAsNamed() bool {
	a := l.status()
	return a.from(l.target.Name) && (a.Connected() || a.Status.Status == "connected_http")
}

func makerOf(c engine.Container, e *engine.Engine) Maker {
	label := func(names ...string) string {
		value := ""
		for _, name := range names {
			value = cmp.Or(value, c.Labels[name])
		}
		return value
	}
	unit := label("PODMAN_SYSTEMD_UNIT")
	return Maker{
		Compose: label("com.docker.compose.service", "io.podman.compose.service"),
		Project: label("com.docker.compose.project", "io.podman.compose.project"),
		Files:   label("com.docker.compose.project.config_files"),
		Unit:    unit, UserRun: strings.Contains(e.Host(), "/run/user/"), Podman: unit != "" || strings.Contains(e.Host(), "podman"),
		Cluster: label("io.x-k8s.kind.cluster", "k3d.cluster") != "",
	}
}
