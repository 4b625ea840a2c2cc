package upgrade

import (
	"slices"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/lifecycle"
)

// TestNothingIsDeletedBeforeItIsMade: a gateway may still be making the container of a sandbox that it has created; deleted before that,
// the container would come late, and pass for a second sandbox of that name.
func TestNothingIsDeletedBeforeItIsMade(t *testing.T) {
	w := startWorld(t, "running", "alpha")
	w.sandboxes["id-late"] = &box{Record: lifecycle.Record{ID: "id-late", Name: "late", Gateway: "gw", Phase: "Provisioning"}}
	made := dockertest.Container{ID: "ab0000000000000000000000000000000000000000000000000000000000000f", Name: "openshell-late", Labels: sandboxLabels("late", "id-late"), State: "running"}
	looks := 0
	w.hook = func(op string) {
		if looks++; op == "list" && looks == 3 {
			w.engine.Add(made)
		}
	}
	f := w.fit(t)
	j, err := f.job(t.Context(), &Entry{Name: "late", Gateway: "gw", NewID: "id-late"})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.delete(t.Context(), "id-late"); err != nil || looks < 4 || slices.Contains(w.log, "create") {
		t.Errorf("%v after %d looks", err, looks)
	}
	if _, there := w.engine.Get(made.ID); there {
		t.Error("its container is left behind")
	}
}
