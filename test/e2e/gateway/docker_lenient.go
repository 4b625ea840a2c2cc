package gateway

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Ours, in the place of the gateway's database: what a client sent, in base64, to be answered verbatim.
const (
	labelSpec = "sandkeeper.test/spec"
	labelMeta = "sandkeeper.test/metadata" // which the driver is not told (compute/mod.rs, driver_sandbox_from_public)
)

// Lenient is the docker driver as tests had it before a real host was recorded: kinder than the real one, without a supervisor, a
// database or phases of its own. It goes when the last test that needs it is mended. Only containers of its namespace are its own.
type Lenient struct {
	Client    *client.Client
	Version   string
	Namespace string
	Command   []string // main process of a created sandbox
}

func (d *Lenient) own() filters.Args {
	return filters.NewArgs(filters.Arg("label", labelManagedBy+"=openshell"), filters.Arg("label", labelNamespace+"="+d.Namespace))
}

// List is every container of the namespace.
func (d *Lenient) List(ctx context.Context) ([]Sandbox, error) {
	found, err := d.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: d.own()})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "list sandboxes failed: %v", err)
	}
	var all []Sandbox
	for _, c := range found {
		s := Sandbox{
			ID: c.Labels[labelID], Name: c.Labels[labelName], Workspace: c.Labels[labelWorkspace], Image: c.Image,
			Phase: d.phase(c.State), Created: time.Unix(c.Created, 0), Spec: sent(c.Labels, labelSpec),
		}
		s.readMeta(sent(c.Labels, labelMeta))
		all = append(all, s)
	}
	slices.SortFunc(all, older)
	return all, nil
}

// phase is what the driver makes of a container's state; a stopped sandbox has a phase of its own since 0.0.105.
func (d *Lenient) phase(state string) Phase {
	switch {
	case state == "running":
		return Ready
	case state == "exited" && Since(d.Version, 105):
		return Stopped
	default:
		return Failed
	}
}

// sent is what a client sent and a label keeps; nil where there is none.
func sent(labels map[string]string, label string) []byte {
	kept, there := labels[label]
	if !there {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(kept)
	if err != nil {
		return nil
	}
	return b
}

// keptMeta is what a gateway's database keeps of the metadata: labels1, annotations2, and what is of the future as field 3.
func (s *Sandbox) keptMeta() message {
	var m message
	m.pairs(1, s.Labels)
	m.pairs(2, s.Annotations)
	m.embed(3, s.Later)
	return m
}

func (s *Sandbox) readMeta(kept []byte) {
	fields, err := decode(kept)
	if err != nil {
		return
	}
	for _, f := range fields {
		switch f.number {
		case 1:
			_ = toPair(&s.Labels, f) // keptMeta wrote it
		case 2:
			_ = toPair(&s.Annotations, f)
		case 3:
			s.Later = f.bytes
		}
	}
}

// Create makes and starts a container from the spec's image.
func (d *Lenient) Create(ctx context.Context, s Sandbox) (Sandbox, error) {
	if _, err := d.find(ctx, s.Name); err == nil {
		return Sandbox{}, status.Error(codes.AlreadyExists, "sandbox already exists")
	}
	r, err := recipeOf(s.Spec)
	if err != nil {
		return Sandbox{}, status.Errorf(codes.InvalidArgument, "spec: %v", err)
	}
	s.ID, s.Image, s.Phase, s.Created = NewID(), r.image, Ready, time.Now()
	maps.Copy(r.labels, map[string]string{
		labelManagedBy: "openshell", labelNamespace: d.Namespace, labelID: s.ID, labelName: s.Name,
		labelSpec: base64.StdEncoding.EncodeToString(s.Spec), labelMeta: base64.StdEncoding.EncodeToString(s.keptMeta()),
	})
	if Since(d.Version, 88) {
		r.labels[labelWorkspace] = s.workspace()
	}
	made, err := d.Client.ContainerCreate(ctx, &container.Config{Image: r.image, Env: pairsOf(r.environment), Labels: r.labels, Cmd: d.Command},
		&container.HostConfig{NetworkMode: "none", Mounts: r.mounts}, nil, nil, containerName(d.Version, s))
	if err != nil {
		return Sandbox{}, status.Errorf(codes.Internal, "create sandbox failed: %v", err)
	}
	if err := d.Client.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return Sandbox{}, status.Errorf(codes.Internal, "create sandbox failed: %v", err)
	}
	return s, nil
}

// Delete removes the container and all that was in it, as the driver does.
func (d *Lenient) Delete(ctx context.Context, key string) (bool, error) {
	id, err := d.find(ctx, key)
	if err != nil {
		return false, err
	}
	if err := d.Client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}); err != nil {
		return false, status.Errorf(codes.Internal, "delete sandbox failed: %v", err)
	}
	return true, nil
}

// SetPhase stops or starts the container.
func (d *Lenient) SetPhase(ctx context.Context, key string, p Phase) (Sandbox, error) {
	id, err := d.find(ctx, key)
	if err != nil {
		return Sandbox{}, err
	}
	now := 0
	if p == Stopped {
		err = d.Client.ContainerStop(ctx, id, container.StopOptions{Timeout: &now})
	} else {
		err = d.Client.ContainerStart(ctx, id, container.StartOptions{})
	}
	if err != nil {
		return Sandbox{}, status.Errorf(codes.Internal, "%v", err)
	}
	all, err := d.List(ctx)
	if i := slices.IndexFunc(all, func(s Sandbox) bool { return s.Key() == key }); i >= 0 {
		return all[i], err
	}
	return Sandbox{}, err
}

// find is the container id of the sandbox with that key.
func (d *Lenient) find(ctx context.Context, key string) (string, error) {
	_, name := splitKey(key)
	named := d.own()
	named.Add("label", labelName+"="+name)
	found, err := d.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: named})
	if err != nil {
		return "", status.Errorf(codes.Internal, "%v", err)
	}
	if len(found) == 0 {
		return "", status.Error(codes.NotFound, "sandbox not found")
	}
	return found[0].ID, nil
}

// Exec runs the command in the container.
func (d *Lenient) Exec(ctx context.Context, s Sandbox, e Exec) (int, error) {
	id, err := d.find(ctx, s.Name)
	if err != nil {
		return 0, err
	}
	return execIn(ctx, d.Client, id, container.ExecOptions{
		Cmd: e.Argv, Env: pairsOf(e.Env), WorkingDir: e.Workdir, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	}, e)
}

// Runs sets the main process of the sandboxes that are created from now on.
func (d *Lenient) Runs(command ...string) { d.Command = command }
