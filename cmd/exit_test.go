package cmd

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"sandkeeper/internal/ui"
)

func testTree(t *testing.T) *cobra.Command {
	t.Helper()
	return newRoot(newApp(nil, &ui.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}))
}

// Every command that runs tells its exit codes in its help, each with the published meaning.
func TestEveryHelpHasItsExitStatus(t *testing.T) {
	for _, c := range allCommands(testTree(t)) {
		if c.Hidden || c.Parent() == nil || c.Parent().Name() == "completion" || c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		t.Run(c.CommandPath(), func(t *testing.T) {
			_, table, found := strings.Cut(c.Long, "EXIT STATUS\n")
			if !found {
				t.Fatalf("its help has no EXIT STATUS")
			}
			for line := range strings.Lines(table) {
				var code ExitCode
				if _, err := fmt.Sscan(line, (*int)(&code)); err != nil {
					t.Fatalf("line %q: %v", line, err)
				}
				if meaning := exitMeaning(code); meaning == "failure" || !strings.Contains(line, meaning) {
					t.Errorf("line %q does not give the published meaning %q", line, meaning)
				}
			}
		})
	}
}

// The README repeats the table for scripts; the two must not part.
func TestReadmeHasThePublishedExitCodes(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`).FindAllStringSubmatch(string(readme), -1)
	if len(rows) < 10 {
		t.Fatalf("%d rows found", len(rows))
	}
	for _, row := range rows {
		var code ExitCode
		_, _ = fmt.Sscan(row[1], (*int)(&code))
		if got, want := strings.ReplaceAll(row[2], "`", ""), exitMeaning(code); got != want {
			t.Errorf("code %d: README says %q, the program %q", code, got, want)
		}
	}
}

// A flag whose twin would be another flag's, or a command without a sentence, is a mistake.
func TestEveryCommandAndFlagIsDescribed(t *testing.T) {
	for _, c := range allCommands(testTree(t)) {
		if c.Short == "" {
			t.Errorf("%s has no short description", c.CommandPath())
		}
		if c.HasLocalFlags() && strings.Contains(c.LocalFlags().FlagUsages(), "   \n") {
			t.Errorf("%s has a flag without a description:\n%s", c.CommandPath(), c.LocalFlags().FlagUsages())
		}
	}
}
