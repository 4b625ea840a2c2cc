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
	answer := func(sentence string, times int) {
		d.Break(dockertest.Fault{Call: "GET /containers/" + id + "/archive", Status: 500, Body: `{"message":"` + sentence + `"}`, Times: times})
	}
	says := func(sentence string) {
		d.Heal()
		d.Break(dockertest.Fault{Call: "HEAD /containers/" + id + "/archive", Status: 500})
		answer(sentence, 0)
	}
	says("error evaluating symlinks from mount source: lstat /srv/gone: no such file or directory")
	if _, err := e.Stat(t.Context(), id, "/sandbox"); err == nil || !strings.Contains(err.Error(), "lstat /srv/gone") || strings.Contains(err.Error(), "API route") {
		t.Errorf("got %v", err)
	}
	// Podman 4.3.1 says this of a stopped container's file that is a mount.
	const mounted, nothing = "error in copier subprocess: changing to intended-new-root directory /tmp/f: chdir /tmp/f: not a directory", "error decoding response from copier subprocess: EOF"
	says(mounted)
	if fact, err := e.Stat(t.Context(), id, "/etc/token"); err != nil || fact.Mode != 0 {
		t.Errorf("a mounted file: %+v, %v", fact, err)
	}
	d.Heal() // and this a few times in a thousand, in place of it
	d.Break(dockertest.Fault{Call: "HEAD /containers/" + id + "/archive", Status: 500})
	answer(nothing, copierTries-1)
	answer(mounted, 0)
	if fact, err := e.Stat(t.Context(), id, "/etc/token"); err != nil || fact.Mode != 0 {
		t.Errorf("a mounted file whose answer was lost: %+v, %v", fact, err)
	}
	says(nothing)
	if _, err := e.Stat(t.Context(), id, "/etc/token"); err == nil || !strings.Contains(err.Error(), nothing) {
		t.Errorf("an answer that is lost again and again: %v", err)
	}
	d.Heal()
	d.Break(dockertest.Fault{Call: "HEAD /containers/" + id + "/archive", Status: 500})
	if _, err := e.Stat(t.Context(), id, "/sandbox"); err == nil {
		t.Error("an engine that refuses the one question and answers the other is believed")
	}
}

// Podman removes an image, goes on to its parents, and answers with what is wrong with those; of an id that it does not have it says that
// it is no name.
func TestAnImageThatIsGoneIsRemoved(t *testing.T) {
	d := dockertest.Start(t)
	e, _ := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host()})})
	used := dockertest.Fault{Call: "DELETE /images/", Status: 409, Body: `{"message":"image abc is in use: image used by def: image is in use by a container"}`}
	d.Break(used)
	d.Break(dockertest.Fault{Call: "GET /images/abc", Status: 500, Body: `{"message":"invalid repository name (abc), cannot specify 64-byte hexadecimal strings"}`})
	if err := e.RemoveImage(t.Context(), "abc"); err != nil {
		t.Errorf("an image that is gone: %v", err)
	}
	d.Heal()
	d.Break(used)
	d.AddImage("kept:1", "sha256:1")
	if err := e.RemoveImage(t.Context(), "kept:1"); err == nil {
		t.Error("an image that is in use passes for removed")
	}
}
