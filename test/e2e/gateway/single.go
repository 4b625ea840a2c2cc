package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	dockernetwork "github.com/docker/docker/api/types/network"
)

// single is the layout of 0.0.x: one container, whose main process is the supervisor.
type single struct {
	*Docker
	network network
}

// Where a container finds what its supervisor needs.
const (
	supervisorPath = "/opt/openshell/bin/openshell-sandbox"
	tokenPath      = "/etc/openshell/auth/sandbox.jwt"
	tlsPath        = "/etc/openshell/tls/client/"
)

// networkName is Docker's network that all sandboxes of a host share (DEFAULT_DOCKER_NETWORK_NAME).
const networkName = "openshell-docker"

// network is where the sandboxes find their gateway.
type network struct{ gateway string }

func (d *single) prepare(ctx context.Context) error {
	var err error
	if d.network, err = d.ensureNetwork(ctx); err != nil {
		return fmt.Errorf("the network %s: %w", networkName, err)
	}
	if err := d.installSupervisor(); err != nil {
		return fmt.Errorf("the supervisor: %w", err)
	}
	if d.TLS == nil {
		return nil
	}
	files := map[string][]byte{"ca.crt": d.TLS.CA, "client/tls.crt": d.TLS.ClientCert, "client/tls.key": d.TLS.ClientKey}
	for name, content := range files {
		if err := d.place(d.tlsFile(name), content, 0o600); err != nil {
			return err
		}
	}

	return nil
}

// networkMaking keeps gateways that begin at once from making the network twice: an engine refuses a second one of the
// name only when it sees the first.
var networkMaking sync.Mutex

func (d *single) ensureNetwork(ctx context.Context) (network, error) {
	networkMaking.Lock()
	defer networkMaking.Unlock()
	_, err := d.Client.NetworkCreate(ctx, networkName, dockernetwork.CreateOptions{
		Driver: "bridge", Attachable: true, Labels: map[string]string{labelManagedBy: "openshell"},
	})
	if err != nil && !errdefs.IsConflict(err) { // another gateway made it
		return network{}, err
	}
	seen, err := d.Client.NetworkInspect(ctx, networkName, dockernetwork.InspectOptions{})
	if err != nil {
		return network{}, err
	}
	if len(seen.IPAM.Config) == 0 {
		return network{}, errors.New("it has no gateway address")
	}
	return network{gateway: seen.IPAM.Config[0].Gateway}, nil
}

func (d *single) roles() []string { return nil }

func (d *single) make(ctx context.Context, s Sandbox, r recipe, from image.InspectResponse) *failure {
	if err := d.writeToken(s); err != nil {
		return &failure{"SandboxTokenWriteFailed", err.Error()}
	}
	failed := d.makeContainer(ctx, s, r, from)
	if failed != nil {
		d.removeToken(s)
	}
	return failed
}

func (d *single) makeContainer(ctx context.Context, s Sandbox, r recipe, from image.InspectResponse) *failure {
	config, host, err := d.body(s, r, from)
	if err != nil {
		return &failure{"ContainerCreateFailed", err.Error()}
	}
	d.shaped(host)
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

// body is the container as the driver asks for it: root, in "/", with the supervisor as the main process.
func (d *single) body(s Sandbox, r recipe, from image.InspectResponse) (*container.Config, *container.HostConfig, error) {
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
func (d *single) environment(s Sandbox, r recipe, imageUser string) []string {
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

func (d *single) restart(ctx context.Context, _ Sandbox, c *container.Summary) error {
	return d.Client.ContainerStart(ctx, c.ID, container.StartOptions{})
}

func (d *single) stop(ctx context.Context, _ Sandbox, c *container.Summary) error {
	return d.Client.ContainerStop(ctx, c.ID, container.StopOptions{Timeout: stopLimit()})
}

func (d *single) discard(ctx context.Context, s Sandbox, c *container.Summary) error {
	d.removeToken(s)
	if c == nil {
		return nil
	}
	return d.Client.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
}

func (d *single) supervisor(_ context.Context, _, containerID string) string { return containerID }

func (d *single) lost(context.Context, string, string) {}

func (d *single) inspect(_ context.Context, s snapshot) (Phase, string, string) {
	return backendPhase(s.state)
}

func (d *single) violates(container.Summary) bool { return false }

func (d *single) exec(s Sandbox, seen container.InspectResponse) (user, workdir string) {
	user, group := s.runAs()
	if user = cmp.Or(user, variable(seen.Config.Env, "OPENSHELL_OCI_IMAGE_USER")); group != "" {
		user += ":" + group
	}
	return user, seen.Args[len(seen.Args)-1]
}
