package gateway

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Connected is what a stand-in supervisor says on standard output as soon as a real one would have a session with its
// gateway.
const Connected = "supervisor session connected"

// snapshot is what the driver sees of a sandbox: news is what differs from the last look.
type snapshot struct{ container, state string }

// watch looks at the containers until ctx ends.
func (d *Docker) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		d.look(ctx, first)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes over what has changed since the last one. The first only remembers, and finds the supervisors that run.
func (d *Docker) look(ctx context.Context, first bool) {
	found, err := d.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: d.own()})
	if err != nil {
		return // the next one may be answered
	}
	d.mu.Lock()
	before := d.seen
	d.seen = map[string]snapshot{}
	for _, c := range found {
		if !d.layout.violates(c) {
			d.seen[c.Labels[labelID]] = snapshot{c.ID, c.State}
		}
	}

	now := d.seen
	d.mu.Unlock()
	d.enforce(ctx, found)
	for id, s := range now {
		if s.state == container.StateRunning {
			d.follow(id, s.container)
		}
		if !first && before[id] != s && !d.stale(ctx, id, s) {
			d.apply(ctx, id, s)
		}
	}

	for id := range before {
		if _, there := now[id]; !there && ctx.Err() == nil {
			_ = d.store.remove(ctx, id) // the driver says "deleted", and the record goes
		}
	}
}

// Saw reports whether the last look found the container of a sandbox: one that goes before that is not missed.
func (d *Docker) Saw(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, there := d.seen[id]
	return there
}

// fenceViolation is the reason of a sandbox whose labels another container has.
const fenceViolation = "OuterFenceViolation"

// enforce stops what passes for a sandbox's container and is none, and puts that sandbox into Error.
func (d *Docker) enforce(ctx context.Context, found []container.Summary) {
	for _, c := range found {
		if !d.layout.violates(c) {
			continue
		}
		_ = d.Client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: stopLimit()}) // else the next look tries again
		if s, err := d.store.byID(ctx, c.Labels[labelID]); err == nil {
			_, _ = d.enter(ctx, s, Failed, fenceViolation, "Container violates the sandbox's outer fence")
		}
	}
}

// fenceOff remembers when the last run of a sandbox's container ended, for its start is asked for now.
func (d *Docker) fenceOff(ctx context.Context, s Sandbox) {
	c, err := d.find(ctx, s.ID)
	if err != nil || c == nil || c.State != container.StateExited {
		return
	}
	before, err := d.Client.ContainerInspect(ctx, c.ID)
	if err != nil || before.State == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fences[s.ID] = before.State.FinishedAt
}

// stale reports whether a look saw the end of a run that a start has followed since.
func (d *Docker) stale(ctx context.Context, id string, s snapshot) bool {
	d.mu.Lock()
	finishedAt, fenced := d.fences[id]
	d.mu.Unlock()
	if s.state != container.StateExited || !fenced {
		return false
	}
	now, err := d.Client.ContainerInspect(ctx, s.container)
	return err == nil && now.State != nil && (now.State.Status != container.StateExited || now.State.FinishedAt == finishedAt)
}

// apply composes a sandbox's phase from its container's state and its supervisor's session. Session and start are looked at while the record is
// held: a session that began, or a start that was asked for, between the look and the writing would be overwritten for good.
func (d *Docker) apply(ctx context.Context, id string, s snapshot) {
	backend, reason, message := d.layout.inspect(ctx, s)
	_, _ = d.store.update(ctx, id, func(sandbox *Sandbox) bool { // a record that is gone needs none
		before := *sandbox
		if before.Reason == fenceViolation || before.Phase == Starting && d.stale(ctx, id, s) {
			return false // whatever its own container does, or did before it was started
		}
		phase, reason, message := backend, reason, message
		switch {
		case phase == Failed || phase == Deleting || phase == Completed:
		case d.connected(id, s.container):
			phase, reason, message = Ready, "DependenciesReady", "Supervisor session connected"
		case phase == Ready:
			phase, reason, message = Provisioning, "SupervisorNotConnected", "Backend ready; waiting for supervisor session"
		}

		phase = before.Phase.after(phase, s.state)
		sandbox.Phase, sandbox.Reason, sandbox.Message, sandbox.Instance = phase, reason, message, s.container
		return before.Phase != phase || before.Reason != reason || before.Instance != s.container
	})
}

// backendPhase is what the state of a container alone says.
func backendPhase(state string) (phase Phase, reason, message string) {
	switch state {
	case container.StateRunning:
		return Ready, "BackendReady", "Container is running"
	case container.StateCreated:
		return Provisioning, "Starting", "Container created"
	case container.StateRestarting:
		return Failed, "ContainerRestarting", "Container is restarting after a failure"
	case container.StateRemoving:
		return Deleting, "Deleting", "Container is being removed"
	case container.StatePaused:
		return Failed, "ContainerPaused", "Container is paused"
	case container.StateExited:
		return Failed, "ContainerExited", "Container exited"
	default:
		return Failed, "ContainerDead", "Container is dead"
	}
}

// after is the phase that follows p when a look at the container says another: what the gateway was asked for weighs
// more.
func (p Phase) after(seen Phase, state string) Phase {
	switch {
	case p == Stopped, p == Stopping && state == container.StateExited:
		return Stopped
	case p == Stopping && seen != Failed:
		return Stopping
	case p == Starting && seen != Ready && seen != Failed:
		return Starting
	case p == Deleting:
		return Deleting
	}
	return seen
}

func (d *Docker) connected(id, containerID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[id] == containerID
}

// follow reads what a container's supervisor says until it ends, unless it is being read already.
func (d *Docker) follow(id, containerID string) {
	ctx := d.running
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, followed := d.sessions[id]; followed {
		return
	}
	d.sessions[id] = "" // being read, not connected
	d.work.Go(func() {
		defer d.silent(ctx, id, containerID)
		speaker := d.layout.supervisor(ctx, id, containerID)
		if speaker == "" {
			return
		}
		now, err := d.Client.ContainerInspect(ctx, speaker)
		if err != nil || now.State == nil {
			return
		}
		// Since the end of the run before: the engine notes the start of a run when its first words may have been said
		// already.
		said, err := d.Client.ContainerLogs(ctx, speaker, container.LogsOptions{ShowStdout: true, Follow: true, Since: now.State.FinishedAt})
		if err != nil {
			return
		}
		defer said.Close()
		lines, out := io.Pipe()
		go func() {
			_, err := stdcopy.StdCopy(out, io.Discard, said)
			_ = out.CloseWithError(err)
		}()
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			if strings.Contains(scan.Text(), Connected) {
				d.session(ctx, id, containerID)
			}
		}
	})
}

// silent takes note that nothing is read of a supervisor any more: its session has ended, unless it is the gateway that
// ends.
func (d *Docker) silent(ctx context.Context, id, containerID string) {
	if ctx.Err() == nil {
		d.layout.lost(ctx, id, containerID)
		d.session(ctx, id, "")
		return
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, id)
}

// session takes note that a sandbox's supervisor has connected, or with no container that its session has ended.
func (d *Docker) session(ctx context.Context, id, containerID string) {
	if containerID != "" {
		d.loadPolicy(ctx, id) // before a look can find it Ready
	}
	d.mu.Lock()
	if containerID == "" {
		delete(d.sessions, id)
	} else {
		d.sessions[id] = containerID
	}

	d.mu.Unlock()
	_, _ = d.store.update(ctx, id, func(s *Sandbox) bool { // a record that is gone needs none
		connected := containerID != ""
		switch {
		case s.Phase == Deleting || s.Phase == Failed || s.Phase == Stopping || s.Phase == Stopped || !connected && s.Phase != Ready:
			return false
		case connected:
			s.Phase, s.Reason, s.Message, s.Instance = Ready, "DependenciesReady", "Supervisor session connected", containerID
		default:
			s.Phase, s.Reason, s.Message = Provisioning, "DependenciesNotReady", "Supervisor session disconnected"
		}
		return true
	})
}

// loadPolicy does what a supervisor does when it connects: it loads the policy of the spec, or, when there is none,
// gives the gateway the default one. Either becomes revision 1.
func (d *Docker) loadPolicy(ctx context.Context, id string) {
	s, err := d.store.update(ctx, id, func(s *Sandbox) bool {
		if !s.Unloaded {
			return false
		}
		if _, there := s.policy(); !there {
			spec := message(s.Spec)
			spec.embed(7, restrictivePolicy())
			s.Spec = spec
		}

		s.Unloaded = false
		return true
	})
	if err != nil {
		return
	}
	content, _ := s.policy()
	_ = d.store.addPolicy(ctx, s, content) // a second session finds it there
}

// restrictivePolicy is the policy of a sandbox that was created without one
// (testdata/recordings/openshell-0.0.110/sandbox-get-byoc.json).
func restrictivePolicy() message {
	var m, files, landlock message
	files.flag(1, true)
	files.texts(2, []string{"/usr", "/lib", "/proc", "/dev/urandom", "/app", "/etc", "/var/log"})
	files.texts(3, []string{"/tmp", "/dev/null"})
	landlock.text(1, "best_effort")
	m.number(1, 1)
	m.embed(2, files)
	m.embed(3, landlock)
	return m
}
