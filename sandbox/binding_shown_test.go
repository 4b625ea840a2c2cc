package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
)

// What somebody wrote into a binding is shown as it was written, escaped once, and never as a control sequence.
func TestABadBindingIsShownAsItWasWritten(t *testing.T) {
	for raw, want := range map[string]string{
		`"nemoclaw-abc"`:                    `"nemoclaw-abc"`,
		`"a\u001b[31mb"`:                    `"a\x1b[31mb"`,
		`"a\"b"`:                            `"a\"b"`,
		`99999`:                             `99999`,
		"{\"port\":\n 8080}":                `{"port": 8080}`,
		`null`:                              `null`,
		``:                                  `absent`,
		`"` + strings.Repeat("ö", 90) + `"`: `"` + strings.Repeat("ö", 80) + `"…`,
	} {
		if got := shown(json.RawMessage(raw)); got != want {
			t.Errorf("%s is shown as %s, want %s", raw, got, want)
		}
	}
}
