package cmd

import (
	"strings"
	"testing"
)

func TestRoffKeepsTextFromBeingRequests(t *testing.T) {
	for text, want := range map[string]string{
		"":                        ".PP",
		"plain":                   "plain",
		".SH forged":              `\&.SH forged`,
		"'quote first":            `\&'quote first`,
		"a.b 'c'":                 "a.b 'c'",
		"--keep N":                `\-\-keep N`,
		`C:\n`:                    `C:\en`,
		"first\n\n.second\nthird": "first\n.PP\n\\&.second\nthird",
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) = %q, want %q", text, got, want)
		}
	}
}

// The page has each visible command once with each of its own flags, and no line that would be read as a request by accident.
func TestManualHasEveryCommandAndFlag(t *testing.T) {
	root := testTree(t)
	var page strings.Builder
	writeManual(&page, root)
	for _, c := range allCommands(root)[1:] {
		heading, want := ".SS "+roff(c.Parent().CommandPath()+" "+c.Use), 1
		if c.Hidden || c.Name() == "help" {
			want = 0
		}
		got := strings.Count(page.String(), heading+"\n") + strings.Count(page.String(), heading+" [flags]\n")
		if got != want {
			t.Errorf("%q stands in the page %d times, want %d", c.CommandPath(), got, want)
		}
	}
	for _, flag := range []string{`\-\-offline`, `\-o, \-\-output`, `\-\-pause\-limit`, `\-y, \-\-yes`, `\-\-read\-data`} {
		if !strings.Contains(page.String(), ".B "+flag+"\n") {
			t.Errorf("flag %s is not in the page", flag)
		}
	}
	for n, line := range strings.Split(page.String(), "\n") {
		if request, _, _ := strings.Cut(line, " "); strings.HasPrefix(line, ".") && !strings.Contains(".TH.SH.SS.TP.B.PP", request) {
			t.Errorf("line %d is the request %q", n+1, line)
		}
	}
}
