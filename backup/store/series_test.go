package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sandkeeper/backup/archive"

	"github.com/google/go-cmp/cmp"
)

func TestLatestOnKeepsGatewaysApart(t *testing.T) {
	s := testStore(t, Options{})
	on := func(gateway, content string) Backup {
		n := newOf("alpha")
		n.Manifest.Gateway = gateway
		return create(t, s, n, fileItem("notes.md", content))
	}
	first := on("nemoclaw", "one")
	if got, err := s.LatestOn("", "", "alpha"); err != nil || got.ID != first.ID {
		t.Errorf("one gateway: %s, %v; want %s", got.ID, err, first.ID)
	}
	second := on("nemoclaw-8091", "two")
	_, err := s.LatestOn("", "", "alpha")
	mixed, ok := errors.AsType[*SeveralError](err)
	if !ok || !cmp.Equal(mixed.Series, []Series{{"nemoclaw", "default", "alpha"}, {"nemoclaw-8091", "default", "alpha"}}) {
		t.Fatalf("two gateways: %v", err)
	}
	for gateway, want := range map[string]Backup{"nemoclaw": first, "nemoclaw-8091": second} {
		if got, err := s.LatestOn(gateway, "", "alpha"); err != nil || got.ID != want.ID {
			t.Errorf("on %s: %s, %v; want %s", gateway, got.ID, err, want.ID)
		}
	}
	if _, err := s.LatestOn("nemoclaw-9000", "", "alpha"); err == nil {
		t.Errorf("a gateway without backups has a latest one")
	}
}

// A backup made without a gateway (--offline) says nothing about one: it counts for each.
func TestLatestOnCountsOfflineBackups(t *testing.T) {
	s := testStore(t, Options{})
	n := newOf("alpha")
	n.Manifest.Gateway = ""
	offline := create(t, s, n, fileItem("notes.md", "offline"))
	for _, gateway := range []string{"", "nemoclaw"} {
		if got, err := s.LatestOn(gateway, "", "alpha"); err != nil || got.ID != offline.ID {
			t.Errorf("gateway %q: %s, %v; want %s", gateway, got.ID, err, offline.ID)
		}
	}
}

// Two sandboxes of one name may be saved at once, before either has a backup: they still get a folder each.
func TestSeriesSavedAtOnceShareNoFolder(t *testing.T) {
	s := testStore(t, Options{})
	both := sync.WaitGroup{}
	started := make(chan struct{}, 2)
	made := make([]Backup, 2)
	for i, workspace := range []string{"default", "team2"} {
		both.Go(func() {
			n := newOf("alpha")
			n.Manifest.Gateway, n.Manifest.Workspace = "openshell", workspace
			made[i], _ = s.Create(t.Context(), n, func(ctx context.Context, a *archive.Archive) error {
				started <- struct{}{}
				for len(started) < 2 { // both have their folders now
					time.Sleep(time.Millisecond)
				}
				return fillWith(folderItem("."))(ctx, a)
			})
		})
	}
	both.Wait()
	if one, two := filepath.Dir(made[0].Dir), filepath.Dir(made[1].Dir); one == two || made[0].ID == "" || made[1].ID == "" {
		t.Errorf("the backups are in %q and %q", made[0].Dir, made[1].Dir)
	}
}
