package openshell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sandkeeper/internal/env"
	"sandkeeper/internal/trust"
)

// Resolve finds the openshell CLI that a process with effective user id uid may execute, in NemoClaw's order
// (docs/facts/nemoclaw.md 4.1): NEMOCLAW_OPENSHELL_BIN when it is absolute and executable, PATH, then the standard
// places.
//
// A configured CLI that must not be executed is an error of its own, because the operator meant that one; elsewhere
// such a file is passed over, and named when nothing better is found. Errors wrap ErrNotFound and say where was looked,
// or trust.ErrUntrusted.
func Resolve(ctx context.Context, e env.Env, uid int) (string, error) {
	if configured := e.Get("NEMOCLAW_OPENSHELL_BIN"); filepath.IsAbs(configured) {
		switch err := trust.Executable(configured, uid); {
		case err == nil:
			return configured, nil
		case !errors.Is(err, fs.ErrNotExist) && !trust.NotExecutable(err):
			return "", fmt.Errorf("NEMOCLAW_OPENSHELL_BIN: %w", err)
		}
	}

	passedOver := unusable(e.Get("NEMOCLAW_OPENSHELL_BIN"))
	for _, candidate := range candidates(e) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		err := trust.Executable(candidate, uid)
		if err == nil {
			return candidate, nil
		}
		if errors.Is(err, trust.ErrUntrusted) && !trust.NotExecutable(err) {
			passedOver = errors.Join(passedOver, err)
		}
	}
	return "", notFound(e, passedOver)
}

// unusable says of a CLI that was named and cannot be it, when no other is found.
func unusable(configured string) error {
	if configured == "" {
		return nil
	}
	return fmt.Errorf("NEMOCLAW_OPENSHELL_BIN names %q, which is no program", configured)
}

// candidates are the places in order, each once.
func candidates(e env.Env) []string {
	dirs := append(filepath.SplitList(e.Get("PATH")), standardPlaces(e)...)
	seen := map[string]bool{}
	var paths []string
	for _, dir := range dirs {
		// A relative PATH entry means whatever folder we happen to stand in.
		if !filepath.IsAbs(dir) || seen[filepath.Clean(dir)] {
			continue
		}
		seen[filepath.Clean(dir)] = true
		paths = append(paths, filepath.Join(dir, "openshell"))
	}

	return paths
}

func standardPlaces(e env.Env) []string {
	places := []string{"/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"}
	if home := e.Home(); home != "" {
		places = append([]string{filepath.Join(home, ".local/bin")}, places...)
	}
	return places
}

// notFound says where was looked, in words: a PATH can have dozens of folders.
func notFound(e env.Env, passedOver error) error {
	places := standardPlaces(e)
	if e.Get("PATH") != "" {
		places = append([]string{"PATH"}, places...)
	}
	err := fmt.Errorf("%w (looked in %s)", ErrNotFound, strings.Join(places, ", "))
	if passedOver != nil {
		return fmt.Errorf("%w; passed over: %w", err, passedOver)
	}
	return err
}
