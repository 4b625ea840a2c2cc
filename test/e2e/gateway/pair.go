package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pair is the layout of 0.1.x (docs/facts/openshell-0.1.md 1.1, 1.2): a workload without a network holds the sandbox's
// file system, a companion on the host's network is its supervisor.
type pair struct {
	*Docker
	companionImage string // the image id that the gateway took when it started
}

// Labels and roles of a pair.
const (
	labelRole      = "openshell.ai/isolation-role"
	labelBackend   = "openshell.ai/isolation-backend"
	roleWorkload   = "sandbox"
	roleCompanion  = "supervisor"
	roleStaging    = "staging"
	roleIdentity   = "identity"
	isolationIs    = "docker"
	runtimePath    = "/.openshell/runtime/openshell-sandbox"
	channelPath    = "/.openshell/channel"
	supervisorData = "/.openshell/supervisor"
)

// prepare takes the image of companions, and removes what an earlier run of the gateway left: companions, helpers,
// volumes of nobody.
func (d *pair) prepare(ctx context.Context) error {
	if err := d.installSupervisor(); err != nil {
		return err
	}
	found, err := d.Client.ImageInspect(ctx, d.SupervisorImage)
	if err != nil {
		return fmt.Errorf("the supervisor image %s: %w", d.SupervisorImage, err)
	}
	d.companionImage = found.ID
	for _, role := range []string{roleCompanion, roleStaging, roleIdentity} {
		if err := d.removeAll(ctx, labelRole+"="+role); err != nil {
			return err
		}
	}

	return nil
}

func (d *pair) roles() []string { return []string{labelRole + "=" + roleWorkload} }

// removeAll removes this gateway's containers with these labels.
func (d *pair) removeAll(ctx context.Context, labels ...string) error {
	which := d.every()
	for _, label := range labels {
		which.Add("label", label)
	}
	found, err := d.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: which})
	if err != nil {
		return err
	}
	for _, c := range found {
		if err := d.Client.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}

	return nil
}

// make creates and starts the workload, then its companion.
func (d *pair) make(ctx context.Context, s Sandbox, r recipe, from image.InspectResponse) *failure {
	user, err := d.identity(ctx, s, from)
	if err != nil {
		return &failure{"IdentityResolutionFailed", err.Error()}
	}
	if err := d.makeVolumes(ctx, s); err != nil {
		return &failure{"BoundaryChannelCreateFailed", err.Error()}
	}
	made, err := d.Client.ContainerCreate(ctx, d.workload(s, r, from, user), d.workloadHost(s, r), nil, nil, containerName(d.Version, s))
	if err != nil {
		return &failure{"ContainerCreateFailed", "create docker sandbox container failed: " + err.Error()}
	}
	if err := d.writeState(s, from, made.ID); err != nil {
		return &failure{"BoundaryStateCreateFailed", err.Error()}
	}
	if err := d.start(ctx, s, made.ID, from); err != nil {
		return &failure{"ContainerStartFailed", "start docker sandbox container failed: " + err.Error()}
	}
	d.apply(ctx, s.ID, snapshot{made.ID, container.StateRunning})
	d.follow(s.ID, made.ID)
	return nil
}

// start puts the runtime and its instructions into the workload, starts it, and gives it a companion.
func (d *pair) start(ctx context.Context, s Sandbox, workload string, from image.InspectResponse) error {
	if err := d.stage(ctx, s, workload, from); err != nil {
		return err
	}
	if err := d.Client.ContainerStart(ctx, workload, container.StartOptions{}); err != nil {
		return err
	}
	return d.startCompanion(ctx, s, workspaceRoot(from.Config.WorkingDir))
}

func (d *pair) restart(ctx context.Context, s Sandbox, c *container.Summary) error {
	if !d.hasDescriptor(s) {
		return status.Error(codes.FailedPrecondition, "sandbox runtime descriptor is missing; refusing to start")
	}
	from, err := d.Client.ImageInspect(ctx, c.ImageID)
	if err != nil {
		return err
	}
	if err := d.removeAll(ctx, labelID+"="+s.ID, labelRole+"="+roleCompanion); err != nil {
		return err
	}
	return d.start(ctx, s, c.ID, from)
}

// stop removes the companion and stops the workload. Its file system, both volumes and the state on the host stay.
func (d *pair) stop(ctx context.Context, s Sandbox, c *container.Summary) error {
	for _, role := range []string{roleCompanion, roleStaging, roleIdentity} {
		if err := d.removeAll(ctx, labelID+"="+s.ID, labelRole+"="+role); err != nil {
			return err
		}
	}
	return d.Client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: stopLimit()})
}

// discard removes all of it. Anonymous volumes of the image's own stay, as they do on a real host.
func (d *pair) discard(ctx context.Context, s Sandbox, _ *container.Summary) error {
	if err := d.removeAll(ctx, labelID+"="+s.ID); err != nil {
		return err
	}
	for _, name := range []string{d.volume("channel", s), d.volume("supervisor", s)} {
		if err := d.Client.VolumeRemove(ctx, name, true); err != nil {
			return err
		}
	}
	return d.removeState(s)
}

// volume is the name of one of a sandbox's two volumes.
func (d *pair) volume(kind string, s Sandbox) string {
	sum := sha256.Sum256([]byte(d.Namespace + "\x00" + s.ID))
	return "openshell-" + kind + "-" + hex.EncodeToString(sum[:])[:32]
}

// ownLabels are the labels that every container of a sandbox has.
func (d *pair) ownLabels(s Sandbox, role string) map[string]string {
	return map[string]string{
		labelManagedBy: "openshell", labelID: s.ID, labelName: s.Name, labelNamespace: d.Namespace, labelRole: role,
	}
}

func (d *pair) workload(s Sandbox, r recipe, from image.InspectResponse, user string) *container.Config {
	labels := maps.Clone(r.labels)
	maps.Copy(labels, d.ownLabels(s, roleWorkload))
	maps.Copy(labels, map[string]string{
		labelWorkspace: s.workspace(), labelBackend: isolationIs, "openshell.ai/private-image-volume-targets": "[]",
		"openshell.ai/caller-driver-config-used": fmt.Sprint(len(r.mounts) > 0), "openshell.ai/resource-admission-identities": "[]",
	})
	return &container.Config{
		Image: from.ID, User: user, WorkingDir: "/", Labels: labels, Entrypoint: []string{runtimePath},
		Cmd: []string{"--bootstrap", channelPath + "/sandbox/bootstrap.json"}, Env: []string{"OPENSHELL_LOG_LEVEL=info", "OPENSHELL_TELEMETRY_ENABLED=true"},
	}
}

func (d *pair) workloadHost(s Sandbox, r recipe) *container.HostConfig {
	pids := int64(2048)
	return &container.HostConfig{
		NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, DNS: []string{"127.0.0.53"},
		Tmpfs: map[string]string{"/run/openshell": "size=1m"}, Binds: r.binds(), Resources: container.Resources{PidsLimit: &pids},
		Mounts: append(r.otherMounts(), mount.Mount{Type: mount.TypeVolume, Source: d.volume("channel", s), Target: channelPath}),
	}
}

// startCompanion makes the supervisor of a workload.
func (d *pair) startCompanion(ctx context.Context, s Sandbox, root string) error {
	pids := int64(2048)
	made, err := d.Client.ContainerCreate(ctx, &container.Config{
		Image: d.companionImage, User: "65534:65534", Labels: d.ownLabels(s, roleCompanion), Entrypoint: []string{"/openshell-supervisor"},
		Cmd: []string{
			"--backend-descriptor-file", supervisorData + "/runtime-descriptor.json", "--auth-bundle-file", supervisorData + "/auth.json",
			"--workdir", root, "--health-socket-path=/run/openshell/health.sock",
		},
		Env: []string{"OPENSHELL_ENDPOINT=" + d.Endpoint, "OPENSHELL_SANDBOX_ID=" + s.ID, "OPENSHELL_SANDBOX=" + s.Name},
		Healthcheck: &container.HealthConfig{ // every 250 ms on a real host, which costs a small machine half a core per sandbox
			Test: []string{"CMD", "/openshell-supervisor", "health", "--socket", "/run/openshell/health.sock"}, Interval: 30 * time.Second,
		},
	}, &container.HostConfig{
		NetworkMode: "host", ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		Tmpfs: map[string]string{"/run": "", "/tmp": "", "/var/log": ""}, Resources: container.Resources{PidsLimit: &pids},
		ExtraHosts: []string{"host.openshell.internal:127.0.0.1", "host.docker.internal:127.0.0.1"},
		Mounts: []mount.Mount{
			{Type: mount.TypeVolume, Source: d.volume("channel", s), Target: channelPath, ReadOnly: true},
			{Type: mount.TypeVolume, Source: d.volume("supervisor", s), Target: supervisorData, ReadOnly: true},
		},
	}, nil, nil, containerName(d.Version, s)+"-supervisor")
	if err != nil {
		return err
	}
	return d.Client.ContainerStart(ctx, made.ID, container.StartOptions{})
}

// supervisor is the companion of a workload, "" when it has none.
func (d *pair) supervisor(ctx context.Context, id, _ string) string {
	which := d.every()
	which.Add("label", labelID+"="+id)
	which.Add("label", labelRole+"="+roleCompanion)
	found, err := d.Client.ContainerList(ctx, container.ListOptions{Filters: which})
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0].ID
}

// lost stops a workload that has no supervisor any more.
func (d *pair) lost(ctx context.Context, id, containerID string) {
	s, err := d.store.byID(ctx, id)
	if err != nil || s.Phase != Ready {
		return
	}
	now, err := d.Client.ContainerInspect(ctx, containerID)
	if err != nil || now.State == nil || !now.State.Running || now.State.Paused {
		return
	}
	_, _ = d.enter(ctx, s, Failed, "ControlSupervisorExited", "Control supervisor exited") // it is there: it was just read
	_ = d.Client.ContainerStop(ctx, containerID, container.StopOptions{Timeout: stopLimit()})
}

// inspect tells how a workload has ended, and takes the companion away from one that has.
func (d *pair) inspect(ctx context.Context, s snapshot) (phase Phase, reason, message string) {
	phase, reason, message = backendPhase(s.state)
	if s.state != container.StateExited {
		return phase, reason, message
	}
	now, err := d.Client.ContainerInspect(ctx, s.container)
	if err != nil || now.State == nil {
		return phase, reason, message
	}
	_ = d.removeAll(ctx, labelID+"="+now.Config.Labels[labelID], labelRole+"="+roleCompanion)
	code := now.State.ExitCode
	switch {
	case now.State.OOMKilled:
		return Failed, "ContainerExited", "Container was killed for want of memory"
	case code == 137 || code == 143:
		return Failed, "ContainerRuntimeRestart", "Container was stopped by its runtime"
	case code == 0:
		return Completed, "MainProcessExited", "Main process exited with 0"
	case code < 126:
		return Failed, "MainProcessFailed", fmt.Sprintf("Main process exited with %d", code)
	}

	return phase, reason, message
}

func (d *pair) exec(s Sandbox, seen container.InspectResponse) (user, workdir string) {
	return seen.Config.User, cmp.Or(d.readState(s, "workspace-root"), "/sandbox")
}

// violates reports whether a container that passes for a workload has more network than a workload may have: one that
// was made from a committed image inherits the labels, not the fence.
func (d *pair) violates(c container.Summary) bool {
	return c.State == container.StateRunning && c.HostConfig.NetworkMode != "none"
}

func (d *pair) makeVolumes(ctx context.Context, s Sandbox) error {
	for _, kind := range []string{"channel", "supervisor"} {
		if err := d.makeVolume(ctx, d.volume(kind, s), s); err != nil {
			return err
		}
	}
	return nil
}
