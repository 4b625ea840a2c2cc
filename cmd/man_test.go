package cmd

import (
	"fmt"
	"strings"
	"testing"

	"sandkeeper/internal/ui"
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
		if c.Hidden || c.Name() == "help" || c.Parent().Name() == "completion" {
			want = 0
		}
		got := strings.Count(page.String(), heading+"\n") + strings.Count(page.String(), heading+" [flags]\n") +
			strings.Count(page.String(), heading+" COMMAND\n")
		if got != want {
			t.Errorf("%q stands in the page %d times, want %d", c.CommandPath(), got, want)
		}
	}
	for _, flag := range []string{
		`\-\-offline`, `\-o, \-\-output text|json`, `\-\-pause\-limit DURATION`, `\-y, \-\-yes`, `\-\-read\-data`, `\-\-only VALUES`,
	} {
		if !strings.Contains(page.String(), ".B "+flag+"\n") {
			t.Errorf("flag %s is not in the page", flag)
		}
	}
	for n, line := range strings.Split(page.String(), "\n") {
		if request, _, _ := strings.Cut(line, " "); strings.HasPrefix(line, ".") && !strings.Contains(".TH.SH.SS.TP.B.BR.PP.nf.fi", request) {
			t.Errorf("line %d is the request %q", n+1, line)
		}
	}
}

// The page has what a page has: where things lie, what the environment does, every exit code, examples, and the defaults of flags.
func TestManualHasItsSections(t *testing.T) {
	var page strings.Builder
	writeManual(&page, testTree(t))
	text := page.String()
	for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "GLOBAL FLAGS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES"} {
		if strings.Count(text, ".SH "+section+"\n") != 1 {
			t.Errorf("section %s stands in the page %d times", section, strings.Count(text, ".SH "+section+"\n"))
		}
	}
	if codes := strings.Count(text, "EXIT STATUS"); codes != 1 {
		t.Errorf("the table of exit codes stands in the page %d times", codes)
	}
	_, table, _ := strings.Cut(text, ".SH EXIT STATUS\n")
	for _, code := range exitCodes() {
		if entry := fmt.Sprintf(".TP\n.B %d\n%s\n", code, roff(exitMeaning(code))); !strings.Contains(table, entry) {
			t.Errorf("exit code %d is not in the table", code)
		}
		if exitMeaning(code) == "failure" {
			t.Errorf("exit code %d has no meaning", code)
		}
	}
	if !strings.Contains(text, "(default latest)") || strings.Contains(text, "(default false)") {
		t.Error("defaults are missing, or say nothing")
	}
}

func TestReleaseIsTheTagOrSaysTheCommit(t *testing.T) {
	const commit = "1f3a5c7e9b1d3f5a7c9e1b3d5f7a9c1e3b5d7f9a"
	for recorded, want := range map[string]string{
		"":                                   Version + "-dev+1f3a5c7e9b1d",
		"(devel)":                            Version + "-dev+1f3a5c7e9b1d",
		"v0.3.1":                             "0.3.1",
		"v0.4.0-rc.1":                        "0.4.0-rc.1",
		"v0.3.1+dirty":                       "0.3.1+dirty",
		"v0.0.0-20261126132008-1f3a5c7e9b1d": Version + "-dev+1f3a5c7e9b1d",
		"v0.3.2-0.20261126132008-1f3a5c7e9b1d+dirty": Version + "-dev+1f3a5c7e9b1d",
		"v0.4.0-rc.1.0.20261126132008-1f3a5c7e9b1d":  Version + "-dev+1f3a5c7e9b1d",
	} {
		if got := release(recorded, commit); got != want {
			t.Errorf("release(%q) = %q, want %q", recorded, got, want)
		}
	}
	if got := release("(devel)", ""); got != Version {
		t.Errorf("without a commit: %q", got)
	}
}

// TestAGroupAloneIsNotShownAsACommand: what answers with an error is no usage.
func TestAGroupAloneIsNotShownAsACommand(t *testing.T) {
	for _, c := range allCommands(newRoot(newApp(nil, &ui.Streams{}))) {
		group := c.HasSubCommands() && c.Name() != "state" && c.Parent() != nil
		if shown := strings.Contains(c.UsageString(), "\n  "+c.UseLine()+"\n"); shown == group {
			t.Errorf("the usage of %s shows its own line: %v\n%s", c.CommandPath(), shown, c.UsageString())
		}
	}
}
