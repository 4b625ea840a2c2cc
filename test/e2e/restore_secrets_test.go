package e2e

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
)

// planted are credentials in every shape that docs/design.md 6 knows, each with a value to look for.
var planted = map[string]string{
	".openclaw/agents/main/agent/auth-profiles.json": `{"profiles":{"p":{"key":"PLANTED-auth-profile-value"}}}`,
	".netrc":                "machine x login y password PLANTED-netrc-value\n",
	".ssh/id_ed25519":       "-----BEGIN OPENSSH PRIVATE KEY-----\nPLANTED-ssh-value\n-----END OPENSSH PRIVATE KEY-----\n",
	"project/.env":          "API_TOKEN=PLANTED-dotenv-value\n",
	"project/settings.json": `{"anthropic":{"apiKey":"sk-ant-api03-PLANTEDsettingsvaluePLANTEDsettingsvalue0123456789"}}`,
	".aws/credentials":      "[default]\naws_secret_access_key = PLANTED-aws-value\n",
	".docker/config.json":   `{"auths":{"x":{"auth":"PLANTED-docker-value"}}}`,
	"deploy/server.key":     "-----BEGIN PRIVATE KEY-----\nPLANTED-pem-value\n-----END PRIVATE KEY-----\n",
	".config/gh/hosts.yml":  "github.com:\n  oauth_token: ghp_PLANTEDghvaluePLANTEDghvalue0123456789\n",
	".npmrc":                "//registry.npmjs.org/:_authToken=npm_PLANTEDnpmvaluePLANTEDnpmvalue012345\n",
}

func (p *patient) plant() {
	p.t.Helper()
	var entries []entry
	made := map[string]bool{}
	for name, content := range planted {
		var above []string
		for at := path.Dir(name); at != "." && !made[at]; at = path.Dir(at) {
			made[at] = true
			above = append([]string{at}, above...)
		}
		for _, dir := range above {
			entries = append(entries, entry{name: dir, dir: true, mode: 0o700, uid: 1000})
		}
		entries = append(entries, entry{name: name, content: content, mode: 0o600, uid: 1000})
	}
	p.engine.put(p.container, entries...)
}

// names are the entries of a tar stream.
func names(t *testing.T, stream io.Reader) []string {
	t.Helper()
	var found []string
	for r := tar.NewReader(stream); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, h.Name)
	}
}

// leaks reports whether a planted value is in a text.
func leaks(t *testing.T, where string, text []byte) {
	t.Helper()
	if at := bytes.Index(text, []byte("PLANTED")); at >= 0 {
		t.Errorf("%s holds a credential: %q", where, text[max(0, at-20):min(len(text), at+30)])
	}
}

// leaksBelow looks into every file of a folder, archives unpacked.
func leaksBelow(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(file)
		leaks(t, file, content)
		if strings.HasSuffix(file, ".tar.zst") {
			leaksBelow(t, extract(t, file))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A backup holds the home whole: what a filter took for a credential and left out would be gone with the sandbox. No value of one is ever
// printed or put in a manifest, and a scrubbed export holds none of those that are known.
func TestCredentialsAreSavedAndNeverShown(t *testing.T) {
	p := newPatient(t, 1)
	p.plant()
	then := p.engine.now(p.container)
	for _, args := range [][]string{p.save("-v"), p.save("--json", "-v"), {"backups", "show", p.name}, {"backups", "show", p.name, "--json"}} {
		out := p.text(args...)
		if out.exit != 0 {
			t.Errorf("%q: exit %d\n%s%s", args, out.exit, out.stdout, out.stderr)
		}
		leaks(t, strings.Join(args, " ")+": stdout", []byte(out.stdout))
		leaks(t, strings.Join(args, " ")+": stderr", []byte(out.stderr))
	}
	manifest, err := os.ReadFile(filepath.Join(p.lastBackup().Path, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	leaks(t, "the manifest", manifest)

	scrubbed := filepath.Join(t.TempDir(), "scrubbed.tar")
	out := p.text("backups", "export", p.name, "--to", scrubbed, "--scrub")
	if out.exit != 0 || !strings.Contains(out.stdout, "not in it: .netrc") || !strings.Contains(out.stderr, "may have been missed") {
		t.Errorf("scrub: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	unpacked := t.TempDir()
	if text, err := exec.Command("tar", "-xf", scrubbed, "-C", unpacked).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	leaksBelow(t, unpacked)

	p.engine.put(p.container, entry{name: ".netrc", content: "gone\n", mode: 0o600}, entry{name: "project/.env", content: "gone\n", mode: 0o600})
	out = p.text("restore", p.name, "--yes", "-v")
	if diff := cmp.Diff(then, p.engine.now(p.container)); out.exit != 0 || diff != "" {
		t.Errorf("restore: exit %d, home (-want +got):\n%s\n%s", out.exit, diff, out.stderr)
	}
	leaks(t, "restore", []byte(out.stdout+out.stderr))
}

// An encrypted backup holds the same, and nobody reads it without the key.
func TestEncryptedBackupsHoldTheHomeWhole(t *testing.T) {
	p := newPatient(t, 1)
	p.plant()
	then := p.engine.now(p.container)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(file, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--encrypt-to", key.Recipient().String()}, {"--allow-plaintext"}} {
		if out := p.text(p.save(flags...)...); out.exit != 0 {
			t.Fatalf("%q: exit %d\n%s", flags, out.exit, out.stderr)
		}
		saved := p.lastBackup()
		encrypted := flags[0] == "--encrypt-to"
		if encrypted {
			leaksBelow(t, p.backups())
			sealed, err := os.Open(filepath.Join(saved.Path, "archive.tar.zst.age"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := age.Decrypt(sealed, key); err != nil {
				t.Errorf("age itself does not open it: %v", err)
			}
			sealed.Close()
			if out := p.text("restore", p.name, "--backup", saved.ID, "--yes"); out.exit == 0 || strings.Contains(out.stderr, "stopping") {
				t.Errorf("restored without the key: exit %d\n%s", out.exit, out.stderr)
			}
		}
		p.engine.put(p.container, entry{name: ".netrc", content: "gone\n", mode: 0o600}, entry{name: "project/.env", content: "gone\n", mode: 0o600})
		args := []string{"restore", p.name, "--backup", saved.ID, "--yes"}
		if encrypted {
			args = append(args, "--identity", file)
		}
		out := p.text(args...)
		if diff := cmp.Diff(then, p.engine.now(p.container)); out.exit != 0 || diff != "" {
			t.Errorf("%q: exit %d, home (-want +got):\n%s\n%s", flags, out.exit, diff, out.stderr)
		}
		leaks(t, "stdout", []byte(out.stdout+out.stderr))
	}
}

// A scrubbed backup that came home brings everything back but puts no placeholder over a credential that is there, on both ways.
func TestAScrubbedBackupTakesNoCredentialFromALiveHome(t *testing.T) {
	p := newPatient(t, 1)
	p.plant()
	then, _ := p.diverge()
	scrubbed := filepath.Join(t.TempDir(), "scrubbed.tar")
	if out := p.text("backups", "export", p.name, "--to", scrubbed, "--scrub"); out.exit != 0 {
		t.Fatalf("scrub: exit %d\n%s", out.exit, out.stderr)
	}
	store := filepath.Join(p.Home, "scrubbed")
	if out := p.text("backups", "import", scrubbed, "--backup-dir", store); out.exit != 0 {
		t.Fatalf("import: exit %d\n%s", out.exit, out.stderr)
	}
	for _, way := range []string{"auto", "engine"} {
		p.worked()
		out := p.text("restore", p.name, "--backup-dir", store, "--way", way, "--yes")
		if diff := cmp.Diff(then, p.engine.now(p.container)); out.exit != 0 || diff != "" {
			t.Errorf("--way %s: exit %d, home (-want +got):\n%s\n%s%s", way, out.exit, diff, out.stdout, out.stderr)
		}
		for _, name := range []string{".netrc", ".openclaw/agents/main/agent/auth-profiles.json", "project/settings.json"} {
			if !strings.Contains(out.stdout, "left as it is, not whole in the backup: "+name+"\n") {
				t.Errorf("--way %s: %s is not said to be left:\n%s", way, name, out.stdout)
			}
		}
	}
}
