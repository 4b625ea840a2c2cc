package cmd

import (
	"strings"
	"testing"

	"sandkeeper/internal/runlog"
	"sandkeeper/schedule"
)

// The command that shows what was installed looks where it was installed: root is shown what runs for the machine.
func TestInstallNamesTheShowThatSeesIt(t *testing.T) {
	for _, c := range []struct {
		uid   int
		scope string
		want  string
	}{
		{0, "user", "sandkeeper schedule show --user, and"},
		{0, "system", "sandkeeper schedule show, and"},
		{1000, "user", "sandkeeper schedule show, and"},
	} {
		term, out := screen()
		term.UID = c.uid
		renderInstalled(term, scheduleInstalled{Manager: schedule.Systemd, Scope: c.scope}, schedule.Host{})
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("uid %d, %s: %s", c.uid, c.scope, out)
		}
	}
}

// A run in which much went wrong is said in a line that can be read.
func TestALastRunIsALine(t *testing.T) {
	many := runlog.Record{Command: "backups verify", ExitCode: 12, Error: strings.Repeat("backup 1 of sandbox alpha is damaged ", 100)}
	if got := ended(many); len(got) > 310 || !strings.HasPrefix(got, "backups verify ended with exit code 12 after 0s: backup 1") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	if got, want := ended(runlog.Record{Command: "backup-all"}), "backup-all ended well after 0s"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
