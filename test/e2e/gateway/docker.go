package gateway

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Labels of the docker driver (crates/openshell-core/src/driver_utils.rs).
const (
	labelManagedBy = "openshell.ai/managed-by"
	labelID        = "openshell.ai/sandbox-id"
	labelName      = "openshell.ai/sandbox-name"
	labelNamespace = "openshell.ai/sandbox-namespace"
	labelWorkspace = "openshell.ai/sandbox-workspace"
)

// Docker keeps sandboxes as the docker driver of 0.0.110 does: records in SQLite, containers whose main process is the
// supervisor, and files for them below a home. What it makes is held against recordings of a real host
// (TestHostIsLikeTheRecordedOne).
type Docker struct {
	Client     *client.Client
	Version    string
	Namespace  string
	Home       string // of the user that the gateway runs as: state, database, the sandboxes' tokens
	Supervisor string // path of the program that becomes the main process of each container
	Endpoint   string // where sandboxes find the gateway
	TLS        *PKI   // nil: sandboxes get no certificates
	Database   string // path; "" is the default one below Home

	EnableBindMounts bool // [openshell.drivers.docker] enable_bind_mounts
	SlowDeletes      bool // a deletion is only accepted, and done afterwards

	SupervisorImage string // reference of the image of companions, since 0.1.0

	store   *store
	layout  layout
	running context.Context // ends with Close and Shutdown
	stop    context.CancelFunc
	work    sync.WaitGroup
	locks   sync.Map // of *sync.Mutex, by sandbox id

	mu       sync.Mutex
	command  string // main process of the agent; "" is the driver's own
	shape    func(*container.HostConfig)
	sessions map[string]string   // the container whose supervisor is connected, by sandbox id
	seen     map[string]snapshot // what the last look saw, by sandbox id
	fences   map[string]string   // when the run ended that a start has followed, by sandbox id
}

// lookEvery lies between two looks at the containers (WATCH_POLL_INTERVAL).
const lookEvery = 2 * time.Second

// Open reads the database, starts what was running when the gateway was stopped, and begins to look at the containers.
func (d *Docker) Open(ctx context.Context) (err error) {
	if d.store, err = openStore(ctx, d.databasePath(), d.Version); err != nil {
		return err
	}
	d.layout = &single{Docker: d}
	if GenerationOf(d.Version) == Timestamps {
		d.layout = &pair{Docker: d}
	}
	if err := d.layout.prepare(ctx); err != nil {
		return err
	}
	d.sessions, d.seen, d.fences = map[string]string{}, map[string]snapshot{}, map[string]string{}
	d.running, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.resume(d.running); err != nil {
		return err
	}
	d.work.Go(func() { d.watch(d.running) })
	return nil
}

// Close ends the gateway as a kill does: nothing happens to its sandboxes.
func (d *Docker) Close() error {
	d.stop()
	d.work.Wait()
	return d.store.close()
}

func (d *Docker) databasePath() string {
	return cmp.Or(d.Database, filepath.Join(d.Home, ".local/state/openshell/gateway/openshell.db"))
}

// AddWorkspace makes a workspace.
func (d *Docker) AddWorkspace(ctx context.Context, name string) error {
	return d.store.addWorkspace(ctx, name)
}

// Workspaces are the names of all workspaces.
func (d *Docker) Workspaces(ctx context.Context) ([]string, error) { return d.store.workspaces(ctx) }

// List is every sandbox of every workspace.
func (d *Docker) List(ctx context.Context) ([]Sandbox, error) { return d.store.sandboxes(ctx, "") }

// Create records a sandbox, which is then provisioned in the background.
func (d *Docker) Create(ctx context.Context, s Sandbox) (Sandbox, error) {
	r, err := recipeOf(s.Spec)
	if err != nil {
		return Sandbox{}, status.Errorf(codes.InvalidArgument, "spec: %v", err)
	}
	if err := d.allows(r); err != nil {
		return Sandbox{}, err
	}
	s.ID, s.Image, s.Phase, s.Created, s.Unloaded = NewID(), r.image, Provisioning, time.Now(), true
	s.Workspace = s.workspace()
	if err := d.store.insert(ctx, s); err != nil {
		return Sandbox{}, err
	}
	d.work.Go(func() { d.provision(d.running, s, r) })
	return s, nil
}

// Delete removes the container, its token and the record. It answers false when there was no container.
func (d *Docker) Delete(ctx context.Context, key string) (bool, error) {
	s, err := d.store.named(ctx, key)
	if err != nil {
		return false, err
	}
	if s, err = d.enter(ctx, s, Deleting, "Deleting", "Sandbox deletion requested"); err != nil {
		return false, err
	}
	if d.SlowDeletes {
		d.work.Go(func() { _, _ = d.remove(d.running, s) }) // nobody waits for it
		return true, nil
	}
	return d.remove(context.WithoutCancel(ctx), s) // once it is noted, whoever asked may go away
}

func (d *Docker) remove(ctx context.Context, s Sandbox) (there bool, err error) {
	defer d.alone(s.ID)()
	c, err := d.find(ctx, s.ID)
	if err != nil {
		return false, err
	}
	if err := d.layout.discard(ctx, s, c); err != nil {
		return c != nil, status.Errorf(codes.Internal, "delete docker sandbox container failed: %v", err)
	}
	return c != nil, d.store.remove(ctx, s.ID)
}

// alone keeps others from making, starting and removing a sandbox's containers until release is called: a deletion in the middle of a creation, and
// two starts at once, would leave one half of each.
func (d *Docker) alone(id string) (release func()) {
	lock, _ := d.locks.LoadOrStore(id, new(sync.Mutex))
	lock.(*sync.Mutex).Lock()
	return lock.(*sync.Mutex).Unlock
}

// find is the container with a sandbox's id, nil when there is none. Nothing but labels is looked at.
func (d *Docker) find(ctx context.Context, id string) (*container.Summary, error) {
	own := d.own()
	own.Add("label", labelID+"="+id)
	found, err := d.Client.ContainerList(ctx, container.ListOptions{All: true, Filters: own})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "find Docker sandbox container failed: %v", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

func (d *Docker) own() filters.Args {
	own := d.every()
	for _, role := range d.layout.roles() {
		own.Add("label", role)
	}
	return own
}

// every selects all containers of this gateway, whatever their role.
func (d *Docker) every() filters.Args {
	return filters.NewArgs(filters.Arg("label", labelManagedBy+"=openshell"), filters.Arg("label", labelNamespace+"="+d.Namespace))
}

// enter writes a phase of the gateway's own making.
func (d *Docker) enter(ctx context.Context, s Sandbox, p Phase, reason, message string) (Sandbox, error) {
	return d.store.update(ctx, s.ID, func(s *Sandbox) bool {
		s.Phase, s.Reason, s.Message = p, reason, message
		return true
	})
}

// Runs sets the main process of the agents that are created from now on; no word of it has a space in it.
func (d *Docker) Runs(command ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.command = strings.Join(command, " ")
}

// Shapes gives the containers that are made from now on another host configuration.
func (d *Docker) Shapes(change func(*container.HostConfig)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shape = change
}

func (d *Docker) shaped(host *container.HostConfig) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shape != nil {
		d.shape(host)
	}
}
