package engine

import (
	"archive/tar"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

func TestEnvironmentNamesNeverCarryValues(t *testing.T) {
	got := envNames([]string{"B=secret", "A=x=y", "A=again", "EMPTY="})
	if !slices.Equal(got, []string{"A", "B", "EMPTY"}) {
		t.Errorf("got %q", got)
	}
}

// An engine's refusal of a look is told in the engine's own sentence, which an answer to HEAD cannot carry.
func TestStatTellsTheEnginesOwnSentence(t *testing.T) {
	d := dockertest.Start(t)
	id := d.Add(dockertest.Container{Name: "c", Files: []dockertest.File{{Path: "/sandbox", Type: tar.TypeDir, Mode: 0o755}}})
	e, _ := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
	if _, err := e.Stat(t.Context(), id, "/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
	says := func(sentence string) {
		d.Heal()
		d.Break(dockertest.Fault{Call: "HEAD /containers/" + id + "/archive", Status: 500})
		d.Break(dockertest.Fault{Call: "GET /containers/" + id + "/archive", Status: 500, Body: `{"message":"` + sentence + `"}`})
	}
	says("error evaluating symlinks from mount source: lstat /srv/gone: no such file or directory")
	if _, err := e.Stat(t.Context(), id, "/sandbox"); err == nil || !strings.Contains(err.Error(), "lstat /srv/gone") || strings.Contains(err.Error(), "API route") {
		t.Errorf("got %v", err)
	}
	// Podman 4.3.1 says this of a stopped container's file that is a mount.
	says("error in copier subprocess: changing to intended-new-root directory /tmp/f: chdir /tmp/f: not a directory")
	if fact, err := e.Stat(t.Context(), id, "/etc/token"); err != nil || fact.Mode != 0 {
		t.Errorf("a mounted file: %+v, %v", fact, err)
	}
	d.Heal()
	d.Break(dockertest.Fault{Call: "HEAD /containers/" + id + "/archive", Status: 500})
	if _, err := e.Stat(t.Context(), id, "/sandbox"); err == nil {
		t.Error("an engine that refuses the one question and answers the other is believed")
	}
}
