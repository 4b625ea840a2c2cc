package backup

import (
	"archive/tar"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"sandkeeper/sandbox"
)

func TestHomeOfAnAgent(t *testing.T) {
	f := newFakeEngine()
	sb := f.add(idA, "exited")
	sb.Row = &sandbox.Row{Agent: "nemocua"}
	if h, err := homeOf(t.Context(), f, sb); err != nil || h.dir != "/sandbox" {
		t.Errorf("with a /sandbox: %q, %v", h.dir, err)
	}
	f.files[idA] = map[string]entry{"app": {kind: tar.TypeDir}, "app/config": {kind: tar.TypeDir}}
	if h, err := homeOf(t.Context(), f, sb); err != nil || h.dir != "/app/config" {
		t.Errorf("without: %q, %v", h.dir, err)
	}
	f.files[idA]["app"] = entry{kind: tar.TypeSymlink, link: "/etc"}
	if _, err := homeOf(t.Context(), f, sb); err == nil || !strings.Contains(err.Error(), "/app is a symbolic link") {
		t.Errorf("a link above the home: %v", err)
	}
	sb.Row = nil
	if _, err := homeOf(t.Context(), f, sb); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no home at all: %v", err)
	}
	f.files[idA]["sandbox"] = entry{kind: tar.TypeReg}
	if _, err := homeOf(t.Context(), f, sb); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file: %v", err)
	}
}

func TestNoEngineStaysNone(t *testing.T) {
	if engineOf(nil) != nil {
		t.Error("no engine became one")
	}
	if (&Run{}).engine(sandbox.Sandbox{}) != nil {
		t.Error("a run without an engine has one")
	}
}
