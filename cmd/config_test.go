package cmd

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestParseConfig(t *testing.T) {
	text := "jobs = 4\npause_limit = \"5s\"\nencrypt_to = [\"age1a\", \"age1b\"]\nonly = []\nstrict = true\nverbose = 1\ncolor = \"never\"\n" +
		"skip_check = [\"a,b\", \"c\"]\n[agents.openclaw]\nexpected = \"2026.7.1\"\n[compute]\nextensions = []\n"
	c, err := parseConfig("config.toml", []byte(text), allFlags(testTree(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"jobs": "4", "pause-limit": "5s", "encrypt-to": "age1a,age1b", "strict": "true", "verbose": "1", "color": "never", "skip-check": `"a,b",c`,
	} {
		if got, _, set := c.flag(flag); !set || got != want {
			t.Errorf("%s = %q, %v; want %q", flag, got, set, want)
		}
	}
	if _, place, _ := c.flag("encrypt-to"); place != "config.toml:3" {
		t.Errorf("encrypt_to stands at %q", place)
	}
	for _, flag := range []string{"label", "only"} {
		if _, _, set := c.flag(flag); set {
			t.Errorf("%s, which the file does not set, is set", flag)
		}
	}
	if got := c.expectedAgents()["openclaw"]; got != "2026.7.1" {
		t.Errorf("expected agent version = %q", got)
	}
}

// An error about the config file names file, line and key, and what was expected there, without a word of the language it is read with.
func TestConfigFaultsSayWhatWasExpected(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "jobs = 2\nbackup_dri = \"/b\"\n", "/home/config.toml:2: backup_dri: there is no such key"},
		{"a flag's spelling", "backup-dir = \"/b\"\n", ":1: backup-dir: there is no such key"},
		{"text for a number", "jobs = \"two\"\n", `:1: jobs: a whole number is expected, such as 4, not "two"`},
		{"number for a duration", "\npause_limit = 5\n", `:2: pause_limit: a duration with its unit is expected, such as "30s", not 5`},
		{"no duration", "pause_limit = \"5\"\n", `such as "30s", not "5"`},
		{"text for a list", "only = \"alpha\"\n", `:1: only: a list of values is expected, such as ["one", "two"], not "alpha"`},
		{"list of numbers", "only = [1]\n", `a list of values is expected`},
		{"no such word", "color = \"blue\"\n", `:1: color: auto, always or never is expected, not "blue"`},
		{"text for a switch", "strict = \"yes\"\n", `true or false is expected, not "yes"`},
		{"a table", "[label]\na = 1\n", `:1: label: text is expected, such as "one", not a table`},
		{"agents", "agents = 1\n", ":1: agents: a table for each agent is expected"},
		{"agent", "[agents]\nopenclaw = \"1\"\n", ":2: agents.openclaw: a table is expected"},
		{"key of an agent", "[agents.openclaw]\nexpcted = \"1\"\n", `:2: agents.openclaw.expcted: there is no such key; an agent has only "expected"`},
		{"version of an agent", "[agents.openclaw]\nexpected = 1\n", ":2: agents.openclaw.expected: a version in quotes is expected"},
		{"torn", "jobs = \n", "/home/config.toml:1:8: this is not TOML: a value is missing after ="},
		{"twice", "jobs = 1\njobs = 2\n", "this is not TOML: "},
		{"a folder that moves with the reader", "backup_dir = \"~/backups\"\n", ":1: backup_dir: \"~/backups\" is not an absolute path"},
		{"binary", "\x00\x01\x02", "/home/config.toml:1:1: this is not TOML: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parseConfig("/home/config.toml", []byte(tc.text), allFlags(testTree(t)), nil)
			f := failureOf(err)
			if f == nil || f.Kind != "config_invalid" || f.Code != ExitUsage {
				t.Fatalf("failure = %+v", f)
			}
			if !strings.HasPrefix(f.Error(), "/home/config.toml:") || !strings.Contains(f.Error(), tc.want) || strings.Contains(f.Error(), "struct") {
				t.Errorf("error %q does not say %q", f, tc.want)
			}
		})
	}
}

// A mistake in the file stops every command but those that need nothing, and JSON says so.
func TestConfigIsReadAtStart(t *testing.T) {
	home := t.TempDir()
	writeFile(t, filepath.Join(home, ".config/sandkeeper/config.toml"), "jobz = 3\n")
	code, out, _ := invoke(t, []string{"HOME=" + home}, "preflight", "--json")
	if code != ExitUsage || !strings.Contains(out, "config_invalid") || !strings.Contains(out, "did you mean jobs?") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, _, _ := invoke(t, []string{"HOME=" + home}, "version"); code != ExitOK {
		t.Errorf("version: exit %d", code)
	}
}

// config show says of each setting where it came from.
func TestConfigShow(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".config/sandkeeper/config.toml")
	writeFile(t, path, "jobs = 4\nstrict = true\n[agents.openclaw]\nexpected = \"2026.7.1\"\n")
	code, out, stderr := invoke(t, []string{"HOME=" + home, "SANDKEEPER_STRICT=false"}, "config", "show", "--json")
	var document struct {
		Result struct{ Settings []configSetting }
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || code != ExitOK {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	got := map[string]string{}
	for _, s := range document.Result.Settings {
		got[s.Key] = s.Value + " from " + s.From
		if s.Key == "compute.extensions" && strings.Join(s.Commands, ", ") != "backup-all, extensions reconcile, migrate import, restore, upgrade-sandboxes" {
			t.Errorf("extensions run in %q", s.Commands)
		}
	}
	for key, want := range map[string]string{
		"jobs":                     "4 from " + path + ":1",
		"strict":                   "false from environment variable SANDKEEPER_STRICT",
		"agents.openclaw.expected": "2026.7.1 from " + path + ":4",
		"scope":                    "full from default",
		"backup_dir":               filepath.Join(home, ".local/share/sandkeeper/backups") + " from default",
		"compute.extensions":       " from default",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	for name := range allFlags(testTree(t)) {
		if _, shown := got[configKey(name)]; !shown {
			t.Errorf("--%s is not shown", name)
		}
	}
}

// docs/config.md has every key, as the flags are: run with -update to write its table anew.
func TestConfigPageHasEveryKey(t *testing.T) {
	const path, begin, end = "../docs/config.md", "<!-- keys: written by go test ./cmd -run TestConfigPage -update -->\n", "<!-- end of keys -->"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), begin)
	_, foot, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatal("the page has no place for the keys")
	}
	var table strings.Builder
	table.WriteString("\n| key | what it takes | default | in | what it is |\n|---|---|---|---|---|\n")
	root := testTree(t)
	flags := allFlags(root)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		what, _ := expectation(flags[name])
		byDefault := defaultOf(root, flags[name])
		if byDefault == "" || strings.Contains(flags[name].Usage, "(default") { // the text says it better than 0s
			byDefault = "–"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", configKey(name), what, byDefault, strings.Join(commandsWith(root, name), ", "),
			strings.ReplaceAll(eachOf(root, flags[name], func(f *pflag.Flag) string { return f.Usage }), "|", `\|`))
	}
	want := head + begin + table.String() + "\n" + end + foot
	if want == string(page) {
		return
	}
	if !*update {
		t.Fatalf("the table is not what the flags are; run with -update: %s", firstDifference(string(page), want))
	}
	if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}
