package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/env"
)

// configured is a docker configuration with helpers in PATH.
func configured(t *testing.T, config string, helpers map[string]string) logins {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range helpers {
		if err := os.WriteFile(filepath.Join(bin, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return logins{env: env.Parse([]string{"HOME=" + dir, "PATH=relative:" + bin + ":/usr/bin:/bin"}), uid: os.Getuid(), dir: dir}
}

const annsAuth = `{"auths": {"r.example:5000": {"auth": "YW5uOnMzOmNyZXQ="}, "https://index.docker.io/v1/": {"auth": "aHViOnB3"}, "old.example/v1/": {"auth": "b2xkOnB3"},
	"t.example": {"identitytoken": "tok"}, "broken.example": {"auth": "s3cret!"}, "empty.example": {}}}`

func TestCredentialsAreThoseOfTheDockerCommand(t *testing.T) {
	answers := map[string]string{
		"echo": `read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"$server\",\"Secret\":\"from $1\"}"`, "token": `echo '{"Username":"<token>","Secret":"tok"}'`,
		"none": `echo "credentials not found in native keychain"; exit 1`, "sick": `echo "s3cret"; echo "s3cret" >&2; exit 7`, "mute": `echo s3cret`,
	}
	for _, c := range []struct {
		name, config, ref string
		want              registry.AuthConfig
		trouble           string
	}{
		{"no file", "", "r.example:5000/box:2", registry.AuthConfig{}, ""},
		{"another registry", annsAuth, "r.example/box:2", registry.AuthConfig{}, ""},
		{"from the file", annsAuth, "r.example:5000/box:2", registry.AuthConfig{Username: "ann", Password: "s3:cret", ServerAddress: "r.example:5000"}, ""},
		{"Docker Hub", annsAuth, "busybox", registry.AuthConfig{Username: "hub", Password: "pw", ServerAddress: hubLogin}, ""},
		{"Docker Hub, a user's", annsAuth, "ann/box@sha256:00", registry.AuthConfig{Username: "hub", Password: "pw", ServerAddress: hubLogin}, ""},
		{"an address of old", annsAuth, "old.example/box", registry.AuthConfig{Username: "old", Password: "pw", ServerAddress: "old.example"}, ""},
		{"identity token", annsAuth, "t.example/box", registry.AuthConfig{IdentityToken: "tok", ServerAddress: "t.example"}, ""},
		{"nothing saved", annsAuth, "empty.example/box", registry.AuthConfig{}, ""},
		{"not base64", annsAuth, "broken.example/box", registry.AuthConfig{}, "not base64"},
		{"store", `{"credsStore": "echo"}`, "r.example/box", registry.AuthConfig{Username: "r.example", Password: "from get", ServerAddress: "r.example"}, ""},
		{"store, Docker Hub", `{"credsStore": "echo"}`, "box", registry.AuthConfig{Username: hubLogin, Password: "from get", ServerAddress: hubLogin}, ""},
		{"helper before store", `{"credsStore": "sick", "credHelpers": {"r.example": "token"}}`, "r.example/box", registry.AuthConfig{IdentityToken: "tok", ServerAddress: "r.example"}, ""},
		{"helper of another", `{"credHelpers": {"other.example": "sick"}}`, "r.example/box", registry.AuthConfig{}, ""},
		{"helper knows none", `{"credsStore": "none"}`, "r.example/box", registry.AuthConfig{}, ""},
		{"helper fails", `{"credsStore": "sick"}`, "r.example/box", registry.AuthConfig{}, "docker-credential-sick ended with exit status 7"},
		{"helper babbles", `{"credsStore": "mute"}`, "r.example/box", registry.AuthConfig{}, "did not answer with a user and a secret"},
		{"no helper", `{"credsStore": "gone"}`, "r.example/box", registry.AuthConfig{}, "there is no docker-credential-gone in PATH"},
		{"a helper that is a path", `{"credsStore": "../../evil"}`, "r.example/box", registry.AuthConfig{}, "is not the name of a credential helper"},
		{"not JSON", `{"auths": s3cret`, "r.example/box", registry.AuthConfig{}, "not the docker command's JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, trouble := configured(t, c.config, answers).header(t.Context(), c.ref)
			got, err := registry.DecodeAuthConfig(header)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, *got); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
			switch {
			case c.trouble == "" && trouble != nil, c.trouble != "" && (trouble == nil || !strings.Contains(trouble.Error(), c.trouble)):
				t.Errorf("trouble = %v, want %q", trouble, c.trouble)
			case trouble != nil && strings.Contains(trouble.Error(), "s3cret"):
				t.Errorf("a secret is in %q", trouble)
			}
		})
	}
}

func TestAHelperThatOthersCouldHaveWrittenIsNotRun(t *testing.T) {
	l := configured(t, `{"credsStore": "echo"}`, map[string]string{"echo": "touch $HOME/ran"})
	path, err := l.helper("echo")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, trouble := l.header(t.Context(), "r.example/box"); trouble == nil || !strings.Contains(trouble.Error(), "not safe to execute") {
		t.Errorf("trouble = %v, want that it is not run", trouble)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "ran")); err == nil {
		t.Error("it was run")
	}
}

func TestRegistryOf(t *testing.T) {
	for ref, want := range map[string]string{
		"busybox": "docker.io", "busybox:1.36": "docker.io", "ann/box:2": "docker.io", "localhost/box": "localhost", "localhost:5000/box": "localhost:5000",
		"ghcr.io/nvidia/openshell:1": "ghcr.io", "127.0.0.1:40123/a/b/c:2": "127.0.0.1:40123", "index.docker.io/library/box": "docker.io",
		"docker.io/library/box": "docker.io", "UPPER/box": "UPPER", "r.example": "docker.io",
	} {
		if got := RegistryOf(ref); got != want {
			t.Errorf("RegistryOf(%q) = %q, want %q", ref, got, want)
		}
	}
}

func FuzzParseLogins(f *testing.F) {
	f.Add([]byte(annsAuth))
	f.Add([]byte(`{"credHelpers": {"a": "b"}, "credsStore": "c", "currentContext": "default"}`))
	f.Add([]byte(`{"auths": {"x": {"auth": "AAAA"}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseLogins(content)
		if err != nil {
			return
		}
		for key, saved := range file.Auths {
			login, err := saved.opened()
			if err == nil && saved.Auth != "" && (login.Auth != "" || strings.Contains(login.Username, ":")) {
				t.Errorf("%q was opened as %+v", key, login)
			}
		}
	})
}

func FuzzParseHelper(f *testing.F) {
	f.Add([]byte(`{"ServerURL":"https://r","Username":"ann","Secret":"s"}`))
	f.Add([]byte(`{"Username":"<token>","Secret":"t"}`))
	f.Add([]byte(`credentials not found in native keychain`))
	f.Fuzz(func(t *testing.T, output []byte) {
		login, err := parseHelper(output)
		if err != nil && login != (savedLogin{}) {
			t.Errorf("an answer that cannot be read gave %+v", login)
		}
	})
}
