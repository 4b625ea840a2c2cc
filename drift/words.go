package drift

import (
	"fmt"
	"strings"
)

// restartWarnings tells of a file that will serve, and disagree, after the next restart. Under an active cluster the
// file on the host is not what a restart brings up, so it is not judged.
func (c comparison) restartWarnings() []string {
	file, ok := version(c.File.Evidence)
	if !ok || file.Same(c.cli) || c.Cluster.Active {
		return nil
	}
	return []string{fmt.Sprintf("file %q is %s and the CLI is %s: will drift on next restart", c.File.Path, file, c.cli)}
}

// contradictions tells of serving evidence that agrees with the CLI although finding does not: the refusal stands, and
// the operator should know that the host gives two answers.
func (c comparison) contradictions(finding Finding) []string {
	served, ok := version(c.Served.Evidence)
	if !ok || !served.Same(c.cli) || finding.Kind == ServedDrift {
		return nil
	}
	return []string{fmt.Sprintf("the gateway%s answers with version %s, but %s is the evidence that decides: %s",
		at(c.Served.Endpoint), served, subject(finding), finding.Running)}
}

func subject(f Finding) string {
	if f.Kind == ImageDrift {
		return fmt.Sprintf("image %q of container %q", f.Image, f.Container)
	}
	return fmt.Sprintf("process %d", f.PID)
}

// doubt says why nothing confirms, one clause for each place that could have.
func (c comparison) doubt() string {
	clauses := append(c.hostDoubts(), "the gateway's own version is "+seen(c.Served.Evidence))
	if c.Cluster.Active {
		clauses = []string{
			fmt.Sprintf("image %q of container %q tells no version%s", c.Cluster.Image, c.Cluster.Container, because(c.Cluster.Evidence)),
			"the gateway's own version is " + seen(c.Served.Evidence),
		}
	}
	return strings.Join(clauses, "; ")
}

func (c comparison) hostDoubts() []string {
	var clauses []string
	if c.clusterUnseen() {
		clauses = append(clauses, "whether a cluster container serves is unknown"+because(c.Cluster.Evidence))
	}
	switch {
	case absent(c.Process.Evidence):
		clauses = append(clauses, "no gateway process was found")
	case c.Process.PID == 0:
		clauses = append(clauses, "whether a gateway process runs is unknown"+because(c.Process.Evidence))
	default:
		clauses = append(clauses, fmt.Sprintf("process %d is a gateway of unknown version%s", c.Process.PID, because(c.Process.Evidence)))
	}

	if file, ok := version(c.File.Evidence); ok {
		return append(clauses, fmt.Sprintf("that file %q is %s does not say what serves now", c.File.Path, file))
	}
	if absent(c.File.Evidence) {
		return append(clauses, "no gateway file was found")
	}
	return append(clauses, "the version of the gateway's file is unknown"+because(c.File.Evidence))
}

// seen is how evidence without a version stands, and why.
func seen(e Evidence) string {
	if absent(e) {
		return "absent" + because(e)
	}
	return "unknown" + because(e)
}

func because(e Evidence) string {
	switch {
	case e.Why != "":
		return " (" + e.Why + ")"
	case e.State == Known && !e.Version.Known():
		return fmt.Sprintf(" (%q is not the version of a release)", e.Version.String())
	}
	return ""
}

func at(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	return " at " + endpoint
}
