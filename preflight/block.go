package preflight

import (
	"fmt"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/internal/text"
)

// Block is the refusal as people read it on stderr, with the phrases that scripts look for (docs/design.md 3.3); ""
// when r does not refuse. Every line is indented by two spaces, ends in a newline, and has no control characters.
func Block(r Report, a Action) string {
	if !r.Refused() || r.Issue == nil {
		return ""
	}
	var b strings.Builder
	line := func(written string) {
		if written = text.OneLine(written, 0); written != "" {
			b.WriteString("  " + written)
		}
		b.WriteByte('\n')
	}
	line("")
	for _, fact := range facts(*r.Issue, a) {
		line(fact)
	}
	line("")
	line("Refusing to trust OpenShell sandbox state while the host CLI and gateway schema may be out of sync.")
	if !r.DataChanged {
		line("No sandbox data was changed.")
	}
	line("")
	line("Recovery:")
	for n, step := range r.Recovery {
		fmt.Fprintf(&b, "    %d. %s\n", n+1, text.OneLine(step, 0))
	}
	return b.String()
}

func facts(i Issue, a Action) []string {
	lines := []string{"OpenShell gateway schema preflight failed before " + a.Phrase + "."}
	if i.Kind == drift.ProtobufMismatch {
		lines[0] = "OpenShell gateway/schema mismatch was detected while " + a.Phrase + "."
	}
	lines = append(lines, "Installed OpenShell: "+or(i.Installed.String(), "unknown version"))
	if running := running(i); running != "" {
		lines = append(lines, running)
	}
	if i.Kind == drift.ProtobufMismatch {
		lines = append(lines, "OpenShell output: "+or(i.Output, "(none)"))
	}
	if i.Why != "" {
		lines = append(lines, i.Why)
	}
	return lines
}

// running is the line of the gateway that differs.
func running(i Issue) string {
	version := or(i.Running.String(), "unknown version")
	switch i.drifted() {
	case drift.ImageDrift:
		return fmt.Sprintf("Running gateway image: %s (%s)", or(i.Image, "cluster image"), version)
	case drift.HostProcessDrift:
		line := fmt.Sprintf("Running gateway binary: %s (%s)", or(i.Binary, "host-process gateway"), version)
		if i.Source == drift.FromFile {
			line += ", by the file on disk: no running version is known"
		}
		return line
	case drift.ServedDrift:
		return fmt.Sprintf("Running gateway: %s (%s)", or(i.Endpoint, or(i.Gateway, "unnamed gateway")), version)
	}
	return ""
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
