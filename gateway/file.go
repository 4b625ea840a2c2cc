package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sandkeeper/drift"
	"sandkeeper/internal/trust"
)

const gatewayProgram = "openshell-gateway"

// fileEvidence is the version of the gateway binary that would be launched next (docs/facts/nemoclaw.md 4.2, with the
// Homebrew folder that launch code knows as well): the live marker's, else NEMOCLAW_OPENSHELL_GATEWAY_BIN, else, for a
// gateway that NemoClaw does not manage, what an enabled service starts (a systemd unit, Homebrew's, the snap's), else
// the one beside the CLI, else the standard places. Only the first that exists is asked, because only that one would be
// launched. serving is the unit of the live process, or "".
func (o Options) fileEvidence(ctx context.Context, t Target, m Marker, cli, serving string) drift.File {
	if configured := strings.TrimSpace(o.Env.Get("NEMOCLAW_OPENSHELL_GATEWAY_BIN")); configured != "" && !m.launches() {
		return o.configuredFile(ctx, configured)
	}
	if !m.launches() {
		if file, says := o.unitFile(ctx, t, serving); says {
			return file
		}
	}

	var looked []string
	for _, path := range o.gatewayFiles(t, m, cli) {
		file, err := o.fileAt(ctx, path)
		if errors.Is(err, fs.ErrNotExist) || trust.NotExecutable(err) {
			looked = append(looked, filepath.Dir(path))
			continue
		}
		return file
	}

	return drift.File{Evidence: absent("no %s in %s", gatewayProgram, strings.Join(looked, ", "))}
}

// fileAt is the version of the program at path. The error, which the evidence has as well, says why it was not run.
func (o Options) fileAt(ctx context.Context, path string) (drift.File, error) {
	file, err := trust.Open(path, o.UID)
	if err != nil {
		return drift.File{Path: path, Evidence: unknown("%w", err)}, err
	}
	defer file.Close()
	return drift.File{Path: path, Evidence: o.ask(ctx, file, path, path)}, nil
}

// launches reports whether m names the binary that serves now.
func (m Marker) launches() bool { return m.State == MarkerLive && m.GatewayBin != "" }

func (o Options) configuredFile(ctx context.Context, path string) drift.File {
	file, err := o.fileAt(ctx, path)
	if err != nil {
		file.Evidence = unknown("NEMOCLAW_OPENSHELL_GATEWAY_BIN: %w", err)
	}
	return file
}

func (o Options) gatewayFiles(t Target, m Marker, cli string) []string {
	var paths []string
	if m.launches() {
		paths = append(paths, m.GatewayBin)
	}
	if !o.managed(t) {
		paths = append(paths, o.packagedFiles()...)
	}
	if cli != "" {
		paths = append(paths, filepath.Join(filepath.Dir(cli), gatewayProgram))
	}
	if home := o.Env.Home(); home != "" {
		paths = append(paths, filepath.Join(home, ".local/bin", gatewayProgram))
	}
	for _, dir := range []string{"/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"} {
		paths = append(paths, o.system(filepath.Join(dir, gatewayProgram)))
	}
	return paths
}

// describe is a file's evidence in words.
func describe(f drift.File) string {
	if f.State == drift.Known {
		return fmt.Sprintf("%s is %s", f.Path, f.Version)
	}
	return f.Why
}
