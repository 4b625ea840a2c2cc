package e2e

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// TestRollbackImageOfAPairHoldsNothingOfOpenShell: since 0.1.0 the gateway puts its own program into a workload, at every start anew. In the
// image that the sandbox comes back from it is not.
func TestRollbackImageOfAPairHoldsNothingOfOpenShell(t *testing.T) {
	h := newRecipeHost(t, "0.1.4")
	if _, there := h.engine.fileIn(h.only().ID, "/.openshell/runtime/openshell-sandbox"); !there {
		t.Fatal("the workload has no program of OpenShell to begin with")
	}
	refuseFirst(h.upgradeHost)
	s := h.outcome(h.upgrade(), 1, "rolled_back")
	kept, err := h.engine.client.ContainerCreate(t.Context(), &container.Config{Image: s.RollbackImage, Cmd: []string{"/bin/sh"}}, nil, nil, nil, "look-"+h.name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.engine.client.ContainerRemove(context.Background(), kept.ID, container.RemoveOptions{}) }()
	if _, there := h.engine.fileIn(kept.ID, "/.openshell/runtime/openshell-sandbox"); there {
		t.Error("the rollback image holds /.openshell")
	}
	if now := h.only(); now.State != "running" {
		t.Errorf("it is %s", now.State)
	}
}
