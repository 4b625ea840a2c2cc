package text

import (
	"os/exec"
	"testing"
)

// TestShellWord: a shell reads each as the one word that was meant.
func TestShellWord(t *testing.T) {
	for word, want := range map[string]string{
		"alpha": "alpha", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$(reboot)": "'$(reboot)'", "a;b": "'a;b'",
		"/srv/my.backups": "/srv/my.backups", "~/x": "~/x", "~root": "'~root'", "a\nb": "'a b'", "-g": "-g",
	} {
		got := ShellWord(word)
		if got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
		if word == "~/x" || word == "a\nb" {
			continue
		}
		read, err := exec.Command("sh", "-c", "printf %s "+got).Output()
		if err != nil || string(read) != word {
			t.Errorf("a shell reads %s as %q (%v)", got, read, err)
		}
	}
}
