package cmd

import (
	"regexp"
	"strings"

	"github.com/fatih/color"
)

// paintBlock repeats in colour what the refusal says: its heading, the versions that differ, and the commands to run.
func (t *terminal) paintBlock(block string) string {
	version := regexp.MustCompile(`^(\s*Installed OpenShell: |\s*Running gateway.* \()([^()]+)(\)?)$`)
	command := regexp.MustCompile("`[^`]+`")
	lines := strings.Split(block, "\n")
	heading := false
	for i, line := range lines {
		switch m := version.FindStringSubmatch(line); {
		case strings.TrimSpace(line) == "":
		case !heading:
			heading = true
			lines[i] = t.paintErr(color.FgRed, line)
		case m != nil:
			lines[i] = m[1] + t.paintErr(color.FgYellow, m[2]) + m[3]
		default:
			lines[i] = command.ReplaceAllStringFunc(line, func(c string) string { return t.paintErr(color.FgCyan, c) })
		}
	}

	return strings.Join(lines, "\n")
}
