package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

// BenchmarkObserve is a whole observation with this host's process table and programs that answer at once.
func BenchmarkObserve(b *testing.B) {
	home := b.TempDir()
	daemon := dockertest.Start(b)
	for name, text := range map[string]string{
		"openshell": answering("nemoclaw", "Connected", "0.0.37"), gatewayProgram: "echo openshell-gateway 0.0.37",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	o := Options{UID: os.Geteuid(), Root: home, Gateway: "nemoclaw", Env: env.Parse([]string{
		"HOME=" + home, "PATH=/usr/bin:/bin", "NEMOCLAW_OPENSHELL_BIN=" + filepath.Join(home, "openshell"), "SANDKEEPER_ENGINES=" + daemon.Host(),
	})}
	for b.Loop() {
		if seen := Observe(b.Context(), o); seen.Served.Version.String() != "0.0.37" {
			b.Fatalf("served %+v", seen.Served)
		}
	}
}
