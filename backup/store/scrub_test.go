package store

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// fake credentials, put together here so that no scanner takes this file for a leak.
var (
	fakeNvidia = "nvapi-" + strings.Repeat("a1B2", 10)
	fakeGitHub = "ghp_" + strings.Repeat("x9", 18)
	fakePEM    = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nAAAA\n"
)

func TestScreenDecides(t *testing.T) {
	const keep, drop, strip = "keep", archive.LeftOutCredential, archive.LeftOutRedacted
	for _, c := range []struct{ name, body, want string }{
		{"auth-profiles.json", "{}", drop},
		{"x/chatgpt-auth.json", "{}", drop},
		{".env", "", drop},
		{"prod.env", "", drop},
		{".env.local", "", drop},
		{".env.example", "A=\n", keep},
		{".ssh/id_ed25519", "x", drop},
		{".ssh/id_ed25519.pub", "ssh-ed25519 AAAA", keep},
		{".aws/credentials", "x", drop},
		{"a/.kube/config", "x", drop},
		{"kube/config", "x", keep},
		{".netrc", "", drop},
		{".git-credentials", "", drop},
		{"keys.p12", "", drop},
		{".gnupg/private-keys-v1.d/A.key", "", drop},
		{"a.json", `{"apiKey":"whatever"}`, drop},
		{"a.json", `{"a":{"password":"p w"}}`, drop},
		{"a.json", `{"x":"` + fakeNvidia + `"}`, drop},
		{"a.json", `{"maxTokens":"12","tokens":["a"],"keywords":["k"],"publicKey":"AAAA","monkey":"m","tokenizer":"bpe"}`, keep},
		{"a.json", `{"apiKey":"openshell:resolve:env:NVIDIA_API_KEY","b":{"token":"unused"},"c":{"Authorization":"Bearer openshell:resolve:env:X"}}`, keep},
		{"a.json", `{"token":"${TOKEN}","secret":"","password":null,"session_token":42,"pass":"[STRIPPED_BY_MIGRATION]"}`, keep},
		{"a.json", `{"args":["--api-key","abcdef"]}`, drop},
		{"a.json", `{"args":["--api-key=abcdef"]}`, drop},
		{"a.json", `{"args":["--verbose","abcdef"]}`, keep},
		{"a.json", `{"token":["abcdef"]}`, drop},
		{"a.json", `{"bot":"` + "M" + strings.Repeat("a", 23) + ".abcdef." + strings.Repeat("b", 27) + `"}`, drop},
		{"a.json", `{"headers":{"x-api-key":"abcdef"}}`, drop},
		{"a.json", `{"OPENAI_KEY":"abcdef"}`, drop},
		{"a.json", `{broken "token": "abcdef"`, drop},
		{"a.json", "{broken", keep},
		{"node_modules/p/package.json", `{"token":"abcdef"}`, keep},
		{"node_modules/p/package.json", `{"x":"` + fakeGitHub + `"}`, drop},
		{"package-lock.json", `{"auth-token":"1.0.0"}`, keep},
		{"a.yaml", "db:\n  password: hunter2\n", drop},
		{"a.yaml", "password: ${DB_PASSWORD}\n", keep},
		{"a.yml", "# nothing\nname: x\n", keep},
		{"a.yaml", "{api_key: abc}\n", drop},
		{"config.toml", "[model]\napi_key = \"abc\"\n", drop},
		{"config.toml", "public_key = \"abc\"\n", keep},
		{"a.ini", "passwd=abc\n", drop},
		{".npmrc", "//r/:_authToken=abc\n", drop},
		{"cert.pem", "-----BEGIN CERTIFICATE-----\n", keep},
		{"cert.pem", fakePEM, drop},
		{"notes.md", "password: hunter2 " + fakeNvidia, keep},
		{"openclaw.json", `{"apiKey":"abc"}`, strip},
		{".mcp.json", `{"env":{"GITHUB_TOKEN":"abc"}}`, strip},
		{"settings.json", `{"theme":"dark"}`, keep},
		{"openclaw.json", "{token: 'abc'} // JSON5", drop},
		{"big.json", `{"token":"` + strings.Repeat("x", maxScreened) + `"}`, keep},
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: c.name, Size: int64(len(c.body))}
		r, x, err := scrub(h, strings.NewReader(c.body))
		if err != nil {
			t.Errorf("%s %.60q: %v", c.name, c.body, err)
			continue
		}
		got := keep
		if x != nil {
			got = x.Kind
		}
		if got != c.want || (r == nil) != (c.want == drop) {
			t.Errorf("%s %.60q: %s (%+v), want %s", c.name, c.body, got, x, c.want)
		}
	}
}

func TestRedactedSettingsKeepEverythingElse(t *testing.T) {
	before := `{ "mcp": {"env":{"A_TOKEN" : "s3cret-1", "B":"b"}}, "list":["--token","s3cret-2",3], "customAgents":[{"n":1.50}],` + "\n" + `"é":"\u00e9","apiKey":"s3cret-3" }`
	want := strings.NewReplacer("s3cret-1", strippedValue, "s3cret-2", strippedValue, "s3cret-3", strippedValue).Replace(before)
	kept, x := screenContent(".openclaw/openclaw.json", []byte(before))
	if string(kept) != want {
		t.Errorf("got  %s\nwant %s", kept, want)
	}
	if x == nil || x.Kind != archive.LeftOutRedacted || strings.Contains(x.Reason, "s3cret") || !strings.Contains(x.Reason, `"A_TOKEN"`) {
		t.Errorf("exclusion = %+v", x)
	}
}

// A backup holds the home whole: a filter that guesses loses what nobody else has. What leaves the host can be scrubbed on the way.
func TestBackupsAreWholeAndScrubbedExportsAreNot(t *testing.T) {
	s := testStore(t, Options{})
	items := []item{
		folderItem("."), fileItem(".env", "KEY=s3cret-value"), fileItem("x.json", `{"token":"s3cret-value"}`),
		fileItem("openclaw.json", `{"keep":"me","password":"s3cret-value"}`), fileItem("y.yaml", "secret: s3cret-value\n"),
	}
	b := create(t, s, newOf("alpha"), items...)
	assertContent(t, s, b, items)
	if b.Manifest.Secrets != archive.SecretsInclude || len(b.Manifest.Exclusions) != 0 {
		t.Errorf("secrets %q, exclusions %+v", b.Manifest.Secrets, b.Manifest.Exclusions)
	}

	file := filepath.Join(t.TempDir(), "alpha.tar")
	killed := filepath.Join(filepath.Dir(file), scratchPrefix+"1") // by an earlier run
	must(t, os.Mkdir(killed, 0o700))
	taken, err := s.ExportScrubbed(t.Context(), b, file, ScrubOptions{})
	if err != nil || len(taken) != 4 {
		t.Fatalf("took out %+v, %v; want 4", taken, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	to := testStore(t, Options{})
	got, err := to.Import(t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Manifest.Secrets != archive.SecretsScrubbed || len(got.Manifest.Exclusions) != 4 {
		t.Errorf("secrets %q, exclusions %+v", got.Manifest.Secrets, got.Manifest.Exclusions)
	}
	r, err := to.Open(t.Context(), got, archive.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := io.ReadAll(r.Frames)
	if err != nil || bytes.Contains(all, []byte("s3cret")) || !bytes.Contains(all, []byte(`"keep":"me"`)) {
		t.Errorf("the scrubbed archive: %v", err)
	}
	manifest, err := os.ReadFile(filepath.Join(got.Dir, archive.ManifestName))
	if err != nil || bytes.Contains(manifest, []byte("s3cret")) {
		t.Errorf("the scrubbed manifest: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("the export left %d files beside itself", len(left)-1)
	}
}

func FuzzScreenContent(f *testing.F) {
	for _, seed := range []string{`{"token":"abc"}`, `[["--key","x"],{"a":{"b":[]}}]`, `{"a":1}{"token":"b"}`, "a: b\n", `{"token": "a`, `"x"`, "]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		kept, x := screenContent("openclaw.json", content)
		if (kept == nil) && x == nil {
			t.Error("left out without a word")
		}
		if x != nil && x.Kind == archive.LeftOutRedacted {
			if !json.Valid(kept) && json.Valid(content) {
				t.Errorf("redacting broke %q: %q", content, kept)
			}
			if again, y := screenContent("openclaw.json", kept); y != nil {
				t.Errorf("a second look still finds %+v in %q", y, again)
			}
		}
	})
}
