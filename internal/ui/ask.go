package ui

import (
	"bufio"
	"fmt"
	"strings"
)

// Confirm asks question on standard error and reports whether the answer was yes. Anything but y or yes, and no answer
// at all, is No. Callers ask only when CanAsk; without a terminal they fail and name the flag that answers.
func (s *Streams) Confirm(question string) bool {
	fmt.Fprintf(s.Err, "%s [y/N]: ", CleanLines(question))
	answer, err := bufio.NewReader(s.In).ReadString('\n')
	if err != nil {
		fmt.Fprintln(s.Err) // Ctrl-D ends no line
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}
