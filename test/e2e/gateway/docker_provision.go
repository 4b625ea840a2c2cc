package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	dockernetwork "github.com/docker/docker/api/types/network"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Where a container finds what its supervisor needs.
const (
	supervisorPath = "/opt/openshell/bin/openshell-sandbox"
	tokenPath      = "/etc/openshell/auth/sandbox.jwt"
	tlsPath        = "/etc/openshell/tls/client/"
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
	d.removeToken(s)
	_, _ = d.enter(ctx, s, Failed, failed.reason, failed.message) // a sandbox that was deleted meanwhile has no record
}

func (d *Docker) containerise(ctx context.Context, s Sandbox, r recipe) *failure {
	from, err := d.imageOf(ctx, r.image)
	if err != nil {
		return &failure{"ImagePullFailed", "pull Docker image failed: " + err.Error()}
	}
	if err := d.writeToken(s); err != nil {
		return &failure{"SandboxTokenWriteFailed", err.Error()}
	}
	config, host, err := d.body(s, r, from)
	if err != nil {
		return &failure{"ContainerCreateFailed", err.Error()}
	}
	endpoints := &dockernetwork.NetworkingConfig{EndpointsConfig: map[string]*dockernetwork.EndpointSettings{networkName: {}}}
	made, err := d.Client.ContainerCreate(ctx, config, host, endpoints, nil, containerName(d.Version, s))
	if err != nil {
		return &failure{"ContainerCreateFailed", "create docker sandbox container failed: " + err.Error()}
	}
	if err := d.Client.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		_ = d.Client.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true})
		return &failure{"ContainerStartFailed", "start docker sandbox container failed: " + err.Error()}
	}
	d.apply(ctx, s.ID, snapshot{made.ID, container.StateRunning})
	d.follow(s.ID, made.ID)
	return nil
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

// body is the container as the driver asks for it: root, in "/", with the supervisor as the main process.
func (d *Docker) body(s Sandbox, r recipe, from image.InspectResponse) (*container.Config, *container.HostConfig, error) {
	supervisor, _, err := d.supervisorFile()
	if err != nil {
		return nil, nil, err
	}
	labels := maps.Clone(r.labels)
	maps.Copy(labels, map[string]string{
		labelManagedBy: "openshell", labelNamespace: d.Namespace, labelID: s.ID, labelName: s.Name,
	})
	if Since(d.Version, 88) {
		labels[labelWorkspace] = s.workspace()
	}
	binds := []string{supervisor + ":" + supervisorPath + ":ro,z"}
	if d.TLS != nil {
		binds = append(binds, d.tlsFile("ca.crt")+":"+tlsPath+"ca.crt:ro,z", d.tlsFile("client/tls.crt")+":"+tlsPath+"tls.crt:ro,z",
			d.tlsFile("client/tls.key")+":"+tlsPath+"tls.key:ro,z")
	}
	binds = append(binds, d.tokenFile(s.ID)+":"+tokenPath+":ro,z")
	pids := int64(2048)
	host := &container.HostConfig{
		Binds: append(binds, r.binds()...), Mounts: r.otherMounts(), NetworkMode: networkName,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		CapAdd:        []string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYSLOG"}, SecurityOpt: []string{"apparmor=unconfined"},
		ExtraHosts: []string{"host.docker.internal:" + d.network.gateway, "host.openshell.internal:" + d.network.gateway},
		Resources:  container.Resources{PidsLimit: &pids},
	}
	return &container.Config{
		Image: from.ID, User: "0", WorkingDir: "/", Env: d.environment(s, r, from.Config.User), Labels: labels,
		Entrypoint: []string{supervisorPath}, Cmd: []string{"--workdir", workspaceRoot(from.Config.WorkingDir)},
	}, host, nil
}

// environment is what the supervisor is told, and what the user wants the agent to have.
func (d *Docker) environment(s Sandbox, r recipe, imageUser string) []string {
	all := map[string]string{"HOME": "/root", "TERM": "xterm", "OPENSHELL_LOG_LEVEL": "info"}
	maps.Copy(all, r.environment)
	if len(r.environment) > 0 {
		wanted, _ := json.Marshal(r.environment) // a map of strings
		all["OPENSHELL_USER_ENVIRONMENT"] = string(wanted)
	}
	if d.TLS != nil {
		maps.Copy(all, map[string]string{
			"OPENSHELL_TLS_CA": tlsPath + "ca.crt", "OPENSHELL_TLS_CERT": tlsPath + "tls.crt", "OPENSHELL_TLS_KEY": tlsPath + "tls.key",
		})
	}
	maps.Copy(all, map[string]string{
		"PATH":               "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"OPENSHELL_ENDPOINT": d.Endpoint, "OPENSHELL_SANDBOX": s.Name, "OPENSHELL_SANDBOX_ID": s.ID,
		"OPENSHELL_SANDBOX_COMMAND": d.mainProcess(), "OPENSHELL_SSH_SOCKET_PATH": "/run/openshell/ssh.sock",
		"OPENSHELL_TELEMETRY_ENABLED": "true", "OPENSHELL_SANDBOX_TOKEN_FILE": tokenPath,
		"OPENSHELL_OCI_IMAGE_USER": imageUser, "OPENSHELL_SANDBOX_UID": "", "OPENSHELL_SANDBOX_GID": "",
	})
	return pairsOf(all)
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
	user, group := s.runAs()
	if user = cmp.Or(user, variable(seen.Config.Env, "OPENSHELL_OCI_IMAGE_USER")); group != "" {
		user += ":" + group
	}
	return execIn(ctx, d.Client, c.ID, container.ExecOptions{
		Cmd: e.Argv, Env: pairsOf(e.Env), User: user, WorkingDir: cmp.Or(e.Workdir, seen.Args[len(seen.Args)-1]),
		AttachStdin: true, AttachStdout: true, AttachStderr: true,
	}, e)
}
