package drift

import (
	"fmt"
	"strings"
)

// Assess judges the evidence (docs/design.md 3.2). What serves outranks what lies on disk: the image of an active
// cluster, then the live process, then the gateway's own answer; the file speaks only when none of them is known, and
// otherwise earns a warning.
func Assess(o Observation) Assessment {
	cli, ok := version(o.CLI)
	if !ok {
		return Assessment{Verdict: Unverified, Doubt: "the version of the openshell CLI is unknown" + because(o.CLI)}
	}
	c := comparison{Observation: o, cli: cli}
	if finding, drifts := c.drift(); drifts {
		return Assessment{Verdict: Refuse, Findings: []Finding{finding}, Warnings: c.contradictions(finding)}
	}
	confirmed := c.confirmations()
	if len(confirmed) == 0 {
		return Assessment{Verdict: Unverified, Doubt: c.doubt()}
	}
	return Assessment{Verdict: Pass, Confirmed: strings.Join(confirmed, "; "), Warnings: c.restartWarnings()}
}

// comparison is an observation whose CLI version is known.
type comparison struct {
	Observation
	cli Version
}

// drift is the most decisive disagreement. There is at most one: each kind of finding is made only where those before
// it are not.
func (c comparison) drift() (Finding, bool) {
	finding := Finding{Installed: c.cli}
	if c.Cluster.Active {
		if image, ok := c.imageVersion(); ok && !image.Same(c.cli) {
			finding.Kind, finding.Running = ImageDrift, image
			finding.Image, finding.Container = c.Cluster.Image, c.Cluster.Container
			return finding, true
		}
		return c.servedDrift(finding)
	}

	if process, ok := c.processVersion(); ok && !process.Same(c.cli) {
		finding.Kind, finding.Source, finding.Running = HostProcessDrift, FromProcess, process
		finding.Binary, finding.PID = c.Process.Binary, c.Process.PID
		return finding, true
	}

	if file, ok := version(c.File.Evidence); ok && !file.Same(c.cli) && c.onlyFileKnown() {
		finding.Kind, finding.Source, finding.Running = HostProcessDrift, FromFile, file
		finding.Binary = c.File.Path
		return finding, true
	}

	return c.servedDrift(finding)
}

func (c comparison) servedDrift(finding Finding) (Finding, bool) {
	served, ok := version(c.Served.Evidence)
	if !ok || served.Same(c.cli) {
		return Finding{}, false
	}
	finding.Kind, finding.Running, finding.Endpoint = ServedDrift, served, c.Served.Endpoint
	return finding, true
}

// confirmations says, in words, what agrees with the CLI; it is asked only when nothing that may claim drift does.
func (c comparison) confirmations() []string {
	var agree []string
	if _, ok := c.imageVersion(); ok && c.Cluster.Active {
		agree = append(agree, fmt.Sprintf("container %q runs image %q (%s)", c.Cluster.Container, c.Cluster.Image, c.cli))
	}
	if _, ok := c.processVersion(); ok && !c.Cluster.Active {
		agree = append(agree, fmt.Sprintf("process %d runs %s", c.Process.PID, c.cli))
	}
	if _, ok := version(c.Served.Evidence); ok {
		agree = append(agree, fmt.Sprintf("the gateway%s answers with version %s", at(c.Served.Endpoint), c.cli))
	}
	if _, ok := version(c.File.Evidence); ok && len(agree) == 0 && c.fileMayConfirm() {
		agree = append(agree, fmt.Sprintf("no gateway runs, and file %q, which would be started next, is %s", c.File.Path, c.cli))
	}
	return agree
}

// fileMayConfirm: agreement on disk is agreement only when nothing else can be serving. A live process whose version
// could not be read may run anything, and so may a cluster that could not be looked at.
func (c comparison) fileMayConfirm() bool {
	return c.onlyFileKnown() && absent(c.Process.Evidence) && !c.Cluster.Active && !c.clusterUnseen()
}

// clusterUnseen: nobody could look whether a cluster container serves. One that was inspected and is not active is a
// leftover, whatever its image.
func (c comparison) clusterUnseen() bool {
	return c.Cluster.State == Unknown && !c.Cluster.Active && c.Cluster.Image == ""
}

func (c comparison) onlyFileKnown() bool {
	_, process := c.processVersion()
	_, served := version(c.Served.Evidence)
	return !process && !served
}

func (c comparison) processVersion() (Version, bool) { return version(c.Process.Evidence) }

func (c comparison) imageVersion() (Version, bool) { return version(c.Cluster.Evidence) }

// version is the version of known evidence; false for what is absent, unknown or no version.
func version(e Evidence) (Version, bool) { return e.Version, e.State == Known && e.Version.Known() }

// The zero value of a State is Absent (observation.go).
func absent(e Evidence) bool { return e.State == Absent || e.State == "" }
