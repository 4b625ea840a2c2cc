package preflight

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/internal/text"
)

// recreate says how the container that the gateway runs in is made again from the image of the CLI's version. A gateway
// is never told to go back: its database is migrated forward only (docs/facts/openshell.md 4.4).
func (g guidance) recreate() []string {
	if g.cliBehind() {
		return []string{g.upgradeCLI() + "."}
	}
	m, name := g.o.Cluster.Maker, g.o.Cluster.Container
	image := fmt.Sprintf("the image of OpenShell %s", or(g.issue.Installed.String(), "the CLI's version"))
	switch {
	case m.Cluster:
		return []string{fmt.Sprintf("Container `%s` is a node of a Kubernetes cluster: bring the gateway that runs in it to %s with what deployed it%s.", name, image, g.alternative())}
	case m.Compose != "":
		return slices.Concat(g.downtime(), []string{fmt.Sprintf("Set the image of service `%s` to %s in %s, then run `%s`.", m.Compose, image, or(m.Files, "its compose file"), g.compose())})
	case m.Unit != "":
		return slices.Concat(g.downtime(), []string{fmt.Sprintf("Set the image in the definition of unit `%s` to %s, then run `%s`.", m.Unit, image, g.unitOfContainer())})
	}

	return slices.Concat(g.downtime(), []string{fmt.Sprintf("Make container `%s` again from %s, with the options, volumes and ports that it has now (`%s inspect %s` shows them)%s.",
		name, image, g.engineCommand(), text.ShellWord(name), g.alternative())})
}

func (g guidance) engineCommand() string {
	if g.o.Cluster.Maker.Podman {
		return "podman"
	}
	return "docker"
}

func (g guidance) compose() string {
	m := g.o.Cluster.Maker
	command := g.engineCommand() + " compose"
	if m.Project != "" {
		command += " -p " + text.ShellWord(m.Project)
	}
	for file := range strings.SplitSeq(m.Files, ",") {
		if file != "" {
			command += " -f " + text.ShellWord(file)
		}
	}

	return command + " up -d " + text.ShellWord(m.Compose)
}

func (g guidance) unitOfContainer() string {
	m := g.o.Cluster.Maker
	if m.UserRun {
		return "systemctl --user daemon-reload && systemctl --user restart " + text.ShellWord(m.Unit)
	}
	return g.o.Host.AsRoot("systemctl daemon-reload") + " && " + g.o.Host.AsRoot("systemctl restart "+text.ShellWord(m.Unit))
}
