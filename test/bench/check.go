package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sandkeeper/test/standin"
	"sandkeeper/test/standin/openshell"
)

// checkSizes are how many sandboxes are registered and listed.
func checkSizes() []int { return []int{100, 1000, 2000} }

// check measures `upgrade-sandboxes --check` over many registered sandboxes, and beside it the listing alone: the very
// calls that the check made of openshell to list them, made again. The sandboxes are stopped: of those that run, the
// check also asks the agent inside for its version, which costs one openshell call each, whoever makes it.
func (b *bench) check(ctx context.Context, r *section) error {
	var steps []step
	for _, many := range checkSizes() {
		h, err := b.crowded(ctx, many)
		if err != nil {
			return err
		}
		env, err := h.Environment()
		if err != nil {
			return err
		}
		check := b.sandkeeper(checkName(many), env, "upgrade-sandboxes", "--check", "--json")
		check.exits = []int{0, 4}
		if _, err := check.run(ctx); err != nil {
			return err
		}
		script, err := listingOf(h)
		if err != nil {
			return err
		}
		listing := shell(listingName(many), script)
		listing.env = env
		steps = append(steps, check, listing)
	}

	samples, err := rounds(ctx, b.rounds, b.enough, steps, b.say)
	if err != nil {
		return err
	}
	r.check(samples)
	return nil
}

func checkName(many int) string   { return fmt.Sprintf("check of %d sandboxes", many) }
func listingName(many int) string { return fmt.Sprintf("listing of %d sandboxes alone", many) }

// crowded is a host with many registered sandboxes, all listed, none of them a container of this machine.
func (b *bench) crowded(ctx context.Context, many int) (*standin.Host, error) {
	h, err := b.host(fmt.Sprintf("check-%d", many), cliVersion)
	if err != nil {
		return nil, err
	}
	h.Script.Gateways[0].Live = true
	if err := h.InstallGateway(cliVersion); err != nil {
		return nil, err
	}
	gw, err := h.StartGateway(ctx)
	if err != nil {
		return nil, err
	}
	b.remove = append(b.remove, func() error {
		_ = gw.Process.Kill()
		_ = gw.Wait() // it says that it was killed
		return nil
	})
	names := make([]string, many)
	for i := range names {
		names[i] = fmt.Sprintf("agent-%04d", i)
		h.Script.Sandboxes = append(h.Script.Sandboxes, openshell.Sandbox{
			Name: names[i], ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), Phase: "Stopped", Created: time.Unix(1_780_000_000+int64(i), 0).UTC(),
		})
	}

	return h, h.Register(names...)
}

// listingOf is a script of the listing calls in the host's call log.
func listingOf(h *standin.Host) (string, error) {
	content, err := os.ReadFile(h.Script.CallLog)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	for call := range strings.Lines(string(content)) {
		if strings.HasPrefix(call, "sandbox list") {
			fmt.Fprintf(&script, "NO_GRAPHICS=1 %s %s >/dev/null\n", filepath.Join(h.Home, ".local/bin/openshell"), strings.TrimSpace(call))
		}
	}

	if script.Len() == 0 {
		return "", fmt.Errorf("the check did not list any sandbox:\n%s", content)
	}
	return script.String(), os.Truncate(h.Script.CallLog, 0)
}
