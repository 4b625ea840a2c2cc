package main

import (
	"context"
	"path/filepath"
	"time"

	"sandkeeper/test/standin"
	"sandkeeper/test/standin/openshell"
)

const (
	cliVersion     = "0.0.110"
	runningVersion = "0.0.105"
	probeDelay     = 100 * time.Millisecond
	// NemoClaw's own gate with the same finding, measured once on the machine of docs/design.md 9 and noted there.
	nemoclawWall = 510 * time.Millisecond
	nemoclawRSS  = 83 << 20
)

// preflight measures the finding of drift by the gate that every command passes: the process that runs is older than
// the openshell that would talk to it. Once with an openshell that takes 100 ms for every answer, as a slow one does,
// and once with one that answers at once. Beside it stands the command preflight, which goes on to check the host, and
// asks every sandbox on the engine.
func (b *bench) preflight(ctx context.Context, r *section) error {
	slow, err := b.drifted(ctx, "slow", probeDelay)
	if err != nil {
		return err
	}
	fast, err := b.drifted(ctx, "fast", 0)
	if err != nil {
		return err
	}
	steps := []step{{name: stepNothing, argv: []string{"true"}}, b.sandkeeper(stepVersion, nil, "version")}
	for _, h := range []drifted{slow, fast} {
		probe := step{name: h.probe(), argv: []string{h.openshell, "status", "-g", h.Gateway()}, env: append(h.env, "NO_GRAPHICS=1")}
		refused, whole := b.sandkeeper(h.gate(), h.env, "backup-all"), b.sandkeeper(h.whole(), h.env, "preflight")
		refused.exits, whole.exits = []int{1}, []int{1}
		steps = append(steps, probe, refused, whole)
	}

	samples, err := rounds(ctx, 5*b.rounds, b.enough, steps, func(string) {})
	if err != nil {
		return err
	}
	r.preflight(samples)
	return r.size(b.program)
}

const (
	stepNothing = "true(1): the smallest process that can be seen here"
	stepVersion = "sandkeeper version"
)

// drifted is a host whose gateway process is older than its openshell.
type drifted struct {
	*standin.Host
	name, openshell string
	env             []string
}

func (d drifted) probe() string { return "openshell status, " + d.name }
func (d drifted) gate() string  { return "sandkeeper backup-all, refused, " + d.name }
func (d drifted) whole() string { return "sandkeeper preflight with its checks of the host, " + d.name }

func (b *bench) drifted(ctx context.Context, name string, delay time.Duration) (drifted, error) {
	h, err := b.host(name, cliVersion)
	if err != nil {
		return drifted{}, err
	}
	if err := h.Register("alpha"); err != nil {
		return drifted{}, err
	}
	h.Script.CallLog = ""
	h.Script.Gateways[0].Live = true
	if delay > 0 {
		for _, words := range [][]string{{"--version"}, {"status"}, {"gateway"}, {"sandbox"}} {
			h.Script.Answers = append(h.Script.Answers, openshell.Answer{Args: words, Delay: delay.String()})
		}
	}

	if err := h.InstallGateway(runningVersion); err != nil {
		return drifted{}, err
	}
	gw, err := h.StartGateway(ctx)
	if err != nil {
		return drifted{}, err
	}
	b.remove = append(b.remove, func() error {
		_ = gw.Process.Kill()
		_ = gw.Wait() // it says that it was killed
		return nil
	})
	env, err := h.Environment()
	return drifted{Host: h, name: name, openshell: filepath.Join(h.Home, ".local/bin/openshell"), env: env}, err
}
