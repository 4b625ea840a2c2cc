package cmd

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Typical mistakes: each is answered with what is wrong, in words of the command line, and with what was probably meant. The golden
// file is that conversation; look at every line of a difference as the tired stranger would who caused it.
func TestMistakesSayWhatWasMeant(t *testing.T) {
	const golden = "testdata/mistakes.golden"
	var all strings.Builder
	for _, line := range []string{
		"", "bakup-all", "backup", "Preflight", "doctor-all", "list", "upgrade", "rm alpha", "bakup-all --jobs 3",
		"backups", "backups lst", "backups delete", "backups show", "backups list alpha beta", "backups export",
		"gateway", "gateway stats", "gateway wait --timeout soon", "gateway wait --timeout 90", "extensions state shw",
		"restore", "restore alpha latest", "config", "-g ../x preflight", "backups list --backup-dir /nosuch", "backup-all --encrypt-to age1nonsense", "restore --bakup latest", "restore alpha --backup", "restore alpha --scope half", "restore --yse alpha",
		"backup-all --job 3", "backup-all --jobs x", "backup-all --jobs 0", "backup-all --jobs 99999999999999999999", "backup-all --pause-limit 5",
		"backup-all --strict=maybe", "backup-all --strict yes", "backup-all --only", "backup-all --only=", `backup-all --only a"b`,
		"backup-all -j", "backup-all -x", "backup-all --skip-check disk", "upgrade-sandboxes --chek", "upgrade-sandboxes --resume --rollback",
		"help nosuch", "help backups nosuch", "help version extra", "version extra", "completion", "completion zhs", "completion bash x",
		"preflight -o xml", "preflight --color blue", "preflight --probe-timeout -3s", "preflight --verbose=x", "diagnose a b", "diagnose /nosuch", "backups import /nosuch.tar", "backups sync", "backups prune", "status --max-age -1h", "schedule install --at 25:00", "--=3", "--josn preflight",
		"SANDKEEPER_JOBS=two backup-all", "SANDKEEPER_STRICT=perhaps backup-all", "SANDKEEPER_PAUSE_LIMIT=5 backup-all",
	} {
		environ, args := []string{}, []string{}
		for _, word := range strings.Fields(line) {
			if strings.HasPrefix(word, "SANDKEEPER_") {
				environ = append(environ, word)
			} else {
				args = append(args, word)
			}
		}
		code, stdout, stderr := invoke(t, environ, args...)
		if code != ExitUsage && code != ExitNotFound {
			t.Errorf("%q: exit %d, want 2 or 10", line, code)
		}
		typed := strings.Join(append(environ, append([]string{"sandkeeper"}, args...)...), " ")
		fmt.Fprintf(&all, "$ %s\n%s%s[exit %d]\n\n", typed, stdout, stderr, code)
	}
	if found := regexp.MustCompile(`strconv|time: |pflag|struct|%2F|%!|arg\(s\)|malformed|archive/tar|EOF|context |which one:  `).FindString(all.String()); found != "" {
		t.Errorf("%q is no word for an operator", found)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := all.String(); got != string(want) {
		t.Errorf("the answers changed; run with -update and look at the difference:\n%s", firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	theirs := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(theirs) || line != theirs[i] {
			return fmt.Sprintf("line %d: got %q, want %q", i+1, line, strings.Join(theirs[min(i, len(theirs)):min(i+1, len(theirs))], ""))
		}
	}
	return "the end is missing"
}
