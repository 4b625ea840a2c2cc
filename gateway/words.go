package gateway

import (
	"fmt"
	"strconv"

	"sandkeeper/drift"
	"sandkeeper/internal/text"
)

// lineLimit is how long one line that quotes foreign text may be.
const lineLimit = 300

// clean makes one bounded line, without control characters, of an error that may quote foreign text.
func clean(err error) string { return text.OneLine(err.Error(), lineLimit) }

// quoted is foreign output as a quotation of one bounded line.
func quoted(output string) string {
	line := text.OneLine(output, lineLimit/2)
	if line == "" {
		return "it printed nothing"
	}
	return strconv.Quote(line)
}

// unknown is evidence that could not be had, with the reason.
func unknown(format string, args ...any) drift.Evidence {
	return drift.Evidence{State: drift.Unknown, Why: clean(fmt.Errorf(format, args...))}
}

// absent is evidence that is not there, with where it was looked for.
func absent(format string, args ...any) drift.Evidence {
	return drift.Evidence{State: drift.Absent, Why: clean(fmt.Errorf(format, args...))}
}
