package openshell

import (
	"strings"

	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
)

// logLine is a line of the CLI's own log, which it writes to standard output before its answer:
// "2026-11-22T00:32:04.922015Z  WARN openshell: OIDC token refresh failed: …" (seen of 0.0.110).
var logLine = pattern.Of(`(?m)^\d{4}-\d\d-\d\dT[0-9:.]+Z +(?:TRACE|DEBUG|INFO|WARN|ERROR) .*(?:\n|$)`)

// answerIn is what the CLI answers on standard output, without its log and without escape sequences.
func answerIn(output string) string {
	return strings.TrimSpace(logLine().ReplaceAllString(text.StripANSI(output), ""))
}
