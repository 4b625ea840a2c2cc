package store

import (
	"errors"
	"testing"

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
