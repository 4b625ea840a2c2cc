package engine

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
)

func TestNothingMadeFromAKeptImagePassesForASandbox(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box", Labels: map[string]string{
		LabelManagedBy: "openshell", LabelSandboxName: "alpha", LabelPodman: "true", "team": "red",
	}, Workdir: "/app"})
	engine := dial(t, daemon)
	if _, err := engine.Commit(t.Context(), id, "kept:1", Keep{Labels: map[string]string{"io.sandkeeper.rollback-of": "img:1"}}); err != nil {
		t.Fatal(err)
	}
	kept, _ := daemon.Committed("kept:1")
	want := map[string]string{"io.sandkeeper.rollback-of": "img:1"}
	if diff := cmp.Diff(want, kept.Labels); diff != "" || kept.Workdir != "/app" {
		t.Errorf("working folder %q, labels of the image (-want +got):\n%s", kept.Workdir, diff)
	}
	if _, err := engine.Commit(t.Context(), "nobody", "kept:2", Keep{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Commit of a container that is gone: %v, want fs.ErrNotExist", err)
	}
}

func TestRoomThatCannotBeSeenIsNotKnown(t *testing.T) {
	daemon := dockertest.Start(t)
	id := daemon.Add(dockertest.Container{Name: "box"})
	engine := dial(t, daemon)
	if err := engine.RoomToCommit(t.Context(), id); !errors.Is(err, ErrRoomUnknown) {
		t.Errorf("RoomToCommit = %v, want ErrRoomUnknown", err)
	}
	if err := engine.RoomToReplace(t.Context(), id, 1<<62); !errors.Is(err, ErrRoomUnknown) {
		t.Errorf("RoomToReplace = %v, want ErrRoomUnknown", err)
	}
	if err := engine.RoomToCommit(t.Context(), "nobody"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RoomToCommit of a container that is gone: %v, want fs.ErrNotExist", err)
	}
}
