package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	c, err := parseConfig("config.toml", []byte("jobs = 4\npause_limit = \"5s\"\nencrypt_to = [\"age1a\", \"age1b\"]\n[agents.openclaw]\nexpected = \"2026.7.1\"\n[compute]\nextensions = []\n"))
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"jobs": "4", "pause-limit": "5s", "encrypt-to": "age1a,age1b"} {
		if got, set := c.flag(flag); !set || got != want {
			t.Errorf("%s = %q, %v; want %q", flag, got, set, want)
		}
	}
	if _, set := c.flag("label"); set {
		t.Errorf("a flag that the file does not set is set")
	}
	if got := c.expectedAgents()["openclaw"]; got != "2026.7.1" {
		t.Errorf("expected agent version = %q", got)
	}
}

func TestConfigFaultsNameFileAndLine(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"unknown key", "jobs = 2\nbackup_dri = \"/b\"\n", "line 2"},
		{"wrong type", "jobs = \"two\"\n", "line 1"},
		{"torn", "jobs = \n", "line 1"},
		{"a folder that moves with the reader", "backup_dir = \"~/backups\"\n", "absolute"},
		{"binary", "\x00\x01\x02", "config.toml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parseConfig("/home/config.toml", []byte(tc.text))
			f := failureOf(err)
			if f == nil || f.Kind != "config_invalid" || f.Code != ExitUsage {
				t.Fatalf("failure = %+v", f)
			}
			if !strings.Contains(f.Error(), "/home/config.toml") || !strings.Contains(f.Error(), tc.want) {
				t.Errorf("error %q does not name the file and %q", f, tc.want)
			}
		})
	}
}

// A mistake in the file stops every command but those that need nothing, and JSON says so.
func TestConfigIsReadAtStart(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config/sandkeeper")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.toml"), []byte("jobz = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := invoke(t, []string{"HOME=" + home}, "preflight", "--json")
	if code != ExitUsage || !strings.Contains(out, "config_invalid") || !strings.Contains(out, `unknown key \"jobz\"`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, _, _ := invoke(t, []string{"HOME=" + home}, "version"); code != ExitOK {
		t.Errorf("version: exit %d", code)
	}
}
