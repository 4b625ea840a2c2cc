package gateway

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// failure is why a sandbox could not be provisioned: the reason of its condition, and the words.
type failure struct{ reason, message string }

// allows refuses what the configuration does not open.
func (d *Docker) allows(r recipe) error {
	for _, m := range r.mounts {
		if m.Type != mount.TypeBind {
			continue
		}
		if !d.EnableBindMounts {
			return status.Error(codes.FailedPrecondition, "docker bind mounts require enable_bind_mounts = true in [openshell.drivers.docker]")
		}
		if _, err := os.Stat(m.Source); err != nil {
			return status.Error(codes.FailedPrecondition, "bind source path does not exist: "+m.Source)
		}
	}
	return nil
}

// provision makes a sandbox's container, or puts the sandbox into Error.
func (d *Docker) provision(ctx context.Context, s Sandbox, r recipe) {
	failed := d.containerise(ctx, s, r)
	if failed == nil {
		return
	}
	_, _ = d.enter(ctx, s, Failed, failed.reason, failed.message) // a sandbox that was deleted meanwhile has no record
}

func (d *Docker) containerise(ctx context.Context, s Sandbox, r recipe) *failure {
	from, err := d.imageOf(ctx, r.image)
	if err != nil {
		return &failure{"ImagePullFailed", "pull Docker image failed: " + err.Error()}
	}
	defer d.alone(s.ID)()
	if now, err := d.store.byID(ctx, s.ID); err != nil || now.Phase == Deleting {
		return nil // somebody has deleted it meanwhile
	}
	return d.layout.make(ctx, s, r, from)
}

// imageOf is what the reference names here; an image that is not here is pulled first.
func (d *Docker) imageOf(ctx context.Context, reference string) (image.InspectResponse, error) {
	here, err := d.Client.ImageInspect(ctx, reference)
	if !errdefs.IsNotFound(err) {
		return here, err
	}
	progress, err := d.Client.ImagePull(ctx, reference, image.PullOptions{})
	if err != nil {
		return here, err
	}
	defer progress.Close()
	if _, err := io.Copy(io.Discard, progress); err != nil {
		return here, err
	}
	return d.Client.ImageInspect(ctx, reference)
}

// containerName has the workspace in it since 0.0.88.
func containerName(version string, s Sandbox) string {
	if Since(version, 88) {
		return fmt.Sprintf("openshell-%s--%s-%s", s.workspace(), s.Name, s.ID)
	}
	return fmt.Sprintf("openshell-%s-%s", s.Name, s.ID)
}

// workspaceRoot is the agent's home of an image (resolve_oci_workspace_root).
func workspaceRoot(workingDir string) string {
	if workingDir == "" || workingDir == "/" {
		return "/sandbox"
	}
	return workingDir
}

func (d *Docker) mainProcess() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.command, "sleep infinity")
}

// Exec runs the command in the container as the supervisor does: as the agent's user, in its home.
func (d *Docker) Exec(ctx context.Context, s Sandbox, e Exec) (int, error) {
	c, err := d.find(ctx, s.ID)
	if err != nil {
		return 0, err
	}
	if c == nil {
		return 0, status.Error(codes.NotFound, "sandbox not found")
	}
	seen, err := d.Client.ContainerInspect(ctx, c.ID)
	if err != nil {
		return 0, status.Errorf(codes.Unavailable, "supervisor relay failed: %v", err)
	}
	user, workdir := d.layout.exec(s, seen)
	return execIn(ctx, d.Client, c.ID, container.ExecOptions{
		Cmd: e.Argv, Env: pairsOf(e.Env), User: user, WorkingDir: cmp.Or(e.Workdir, workdir),
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	}, e)
}
