package cmd

import (
	"path/filepath"
	"strings"
	"testing"
)

// Completion offers what has backups, and where it cannot know it offers nothing and says nothing that is not an answer.
func TestCompletionOffersSandboxesWithBackups(t *testing.T) {
	h := newHost(t)
	h.sandbox("alpha", "exited", "first")
	h.sandbox("beta", "exited", "first")
	h.mustRun("backup-all", "--offline", "-q")
	h.sandbox("gamma", "exited", "not saved")
	const noFiles = ":4\n"
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"restore", ""}, "alpha\nbeta\n" + noFiles},
		{[]string{"backups", "list", ""}, "alpha\nbeta\n" + noFiles},
		{[]string{"restore", "alpha", ""}, noFiles},
		{[]string{"restore", "--backup-dir", filepath.Join(h.home, "elsewhere"), ""}, noFiles},
	} {
		code, stdout, _ := h.run(append([]string{"__complete"}, tc.args...)...)
		if code != ExitOK || stdout != tc.want {
			t.Errorf("%s: exit %d, %q, want %q", strings.Join(tc.args, " "), code, stdout, tc.want)
		}
	}
}
