package home

import (
	"archive/tar"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"sandkeeper/internal/backuptest"
	"sandkeeper/sandbox"
)

func TestHomeOfAnAgent(t *testing.T) {
	f := backuptest.NewFakeEngine()
	sb := f.Add(backuptest.IdA, "exited")
	sb.Row = &sandbox.Row{Agent: "nemocua"}
	if h, err := HomeOf(t.Context(), f, sb); err != nil || h.Dir != "/sandbox" {
		t.Errorf("with a /sandbox: %q, %v", h.Dir, err)
	}
	f.Files[backuptest.IdA] = map[string]backuptest.Entry{"app": {Kind: tar.TypeDir}, "app/config": {Kind: tar.TypeDir}}
	if h, err := HomeOf(t.Context(), f, sb); err != nil || h.Dir != "/app/config" {
		t.Errorf("without: %q, %v", h.Dir, err)
	}
	f.Files[backuptest.IdA]["app"] = backuptest.Entry{Kind: tar.TypeSymlink, Link: "/etc"}
	if _, err := HomeOf(t.Context(), f, sb); err == nil || !strings.Contains(err.Error(), "/app is a symbolic link") {
		t.Errorf("a link above the home: %v", err)
	}
	sb.Row = nil
	if _, err := HomeOf(t.Context(), f, sb); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no home at all: %v", err)
	}
	f.Files[backuptest.IdA]["sandbox"] = backuptest.Entry{Kind: tar.TypeReg}
	if _, err := HomeOf(t.Context(), f, sb); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file: %v", err)
	}
}

func TestNoEngineStaysNone(t *testing.T) {
	if EngineOf(nil) != nil {
		t.Error("no engine became one")
	}
	if EngineOf(nil) != nil {
		t.Error("a run without an engine has one")
	}
}
