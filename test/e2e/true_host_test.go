package e2e

import (
	"archive/tar"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"

	"sandkeeper/test/e2e/gateway"
	"sandkeeper/test/standin"
)

// trueHost is a host as the recorded one was: the .deb's layout below one home, a gateway "openshell" behind mutual TLS, the docker driver
// with its database, supervisors in the containers, and a real command line.
type trueHost struct {
	realHost
	engine *engine
	driver *gateway.Docker
	server *gateway.Server
	power  *power
	images []string // ids to remove with it
}

const trueVersion = "0.0.110"

// newTrueHost has no sandbox yet. The options change the driver before it is opened.
func newTrueHost(t *testing.T, options ...func(*gateway.Docker)) *trueHost {
	t.Helper()
	return newHostOf(t, trueVersion, realCLI(t, trueVersion), options)
}

func newHostOf(t *testing.T, version, cli string, options []func(*gateway.Docker)) *trueHost {
	t.Helper()
	h := &trueHost{engine: newEngine(t), realHost: realHost{t: t, home: t.TempDir(), openshell: cli}}
	h.env = append(engineEnv(), "HOME="+h.home, "LANG=C.UTF-8", "NO_GRAPHICS=1", "PATH="+filepath.Dir(cli)+":/usr/bin:/bin")
	pki, err := gateway.NewPKI()
	h.must(err)
	port := freePort(t)
	h.driver = &gateway.Docker{
		Client: h.engine.client, Version: version, Namespace: "e2e-" + gateway.NewID()[:8], Home: h.home,
		Supervisor: supervisorFile(t, version), Endpoint: fmt.Sprintf("https://host.openshell.internal:%d/", port), TLS: pki,
	}
	if gateway.GenerationOf(version) == gateway.Timestamps {
		h.driver.SupervisorImage = h.supervisorImage(version)
	}
	for _, option := range options {
		option(h.driver)
	}
	h.must(h.driver.Open(t.Context()))
	t.Cleanup(h.sweep)
	secured, err := pki.Server(tls.RequireAndVerifyClientCert)
	h.must(err)
	h.server = &gateway.Server{Version: version, Backend: h.driver, TLS: secured}
	h.power = &power{t: t, server: h.server, address: fmt.Sprintf("127.0.0.1:%d", port)}
	h.power.on()
	t.Cleanup(h.power.off)
	h.register(pki, port)
	return h
}

func (h *trueHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// supervisorFile is a supervisor's program of that version.
func supervisorFile(t *testing.T, version string) string {
	t.Helper()
	program, err := standin.Programs{Dir: os.Getenv(programs)}.InSandbox(version)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "openshell-sandbox")
	if err := os.WriteFile(path, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// register makes the gateway known to the command line, as `openshell gateway add` of that version writes it.
func (h *trueHost) register(pki *gateway.PKI, port int) {
	h.t.Helper()
	metadata := fmt.Sprintf(`{
  "name": "openshell",
  "gateway_endpoint": "https://127.0.0.1:%d",
  "is_remote": false,
  "gateway_port": 0,
  "auth_mode": "mtls"
}`, port)
	for name, content := range map[string]string{
		"active_gateway": "openshell", "gateways/openshell/metadata.json": metadata,
		"gateways/openshell/mtls/ca.crt": string(pki.CA), "gateways/openshell/mtls/tls.crt": string(pki.ClientCert), "gateways/openshell/mtls/tls.key": string(pki.ClientKey),
	} {
		path := filepath.Join(h.home, ".config/openshell", name)
		h.must(os.MkdirAll(filepath.Dir(path), 0o700))
		write(h.t, path, content)
	}
}

// sweep ends the gateway and removes what it made.
func (h *trueHost) sweep() {
	if err := h.driver.Close(); err != nil {
		h.t.Error(err)
	}
	for _, c := range h.containers("") {
		_ = h.engine.client.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	for _, id := range h.images {
		_, _ = h.engine.client.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true})
	}
}

// agentImage is what an image for agents says of itself.
type agentImage struct {
	reference, user, workdir, version string
	more                              []entry
	changes                           []string // further Dockerfile instructions
}

// agent makes such an image, with its user (998) and its home.
func (h *trueHost) agent(a agentImage) (id string) {
	h.t.Helper()
	content := accounts(a.user, a.workdir)
	if home := strings.Trim(a.workdir, "/"); home != "sandbox" { // which every image has
		content = append(content, entry{name: home, dir: true, mode: 0o755, uid: 998})
	}
	changes := append([]string{
		"USER " + a.user, "WORKDIR " + a.workdir, "ENV LANG=C.UTF-8",
		"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LABEL org.opencontainers.image.version=" + a.version,
	}, a.changes...)
	id = h.engine.buildWith(a.reference, changes, append(content, a.more...)...)
	h.images = append(h.images, id)
	return id
}

// accounts are the files that name an image's users: root, and the agent's.
func accounts(user, home string) []entry {
	return []entry{
		{name: "etc/passwd", mode: 0o644, content: "root:x:0:0:root:/root:/bin/sh\n" + user + ":x:998:998::" + home + ":/bin/sh\n"},
		{name: "etc/group", mode: 0o644, content: "root:x:0:\n" + user + ":x:998:\n"},
	}
}

// create makes a sandbox and waits until its phase is the wanted one.
func (h *trueHost) create(s gateway.Sandbox, want gateway.Phase) gateway.Sandbox {
	h.t.Helper()
	s.Spec = s.NewSpec(h.driver.Version)
	made, err := h.driver.Create(h.t.Context(), s)
	h.must(err)
	if made.Phase != gateway.Provisioning {
		h.t.Errorf("a new sandbox is %s, want Provisioning", made.Phase)
	}
	return h.reaches(made.Key(), want)
}

// reaches waits until a sandbox is in a phase.
func (h *trueHost) reaches(key string, want gateway.Phase) (now gateway.Sandbox) {
	h.t.Helper()
	if _, there := waitFor(waitLimit, func() bool { now = h.now(key); return now.Phase == want }); !there {
		h.t.Fatalf("sandbox %s is %s (%s: %s), want %s\n%s", key, now.Phase, now.Reason, now.Message, want, h.said(now.ID))
	}
	return now
}

// saw waits until the gateway has looked at a sandbox's container: what it never saw it does not miss.
func (h *trueHost) saw(s gateway.Sandbox) {
	h.t.Helper()
	if _, seen := waitFor(waitLimit, func() bool { return h.driver.Saw(s.ID) }); !seen {
		h.t.Fatalf("the gateway never looked at sandbox %s", s.Name)
	}
}

// now is a sandbox as its gateway has it; the zero one when there is none.
func (h *trueHost) now(key string) gateway.Sandbox {
	h.t.Helper()
	all, err := h.driver.List(context.Background())
	h.must(err)
	for _, s := range all {
		if s.Key() == key {
			return s
		}
	}
	return gateway.Sandbox{}
}

// containers are those of this gateway, of all sandboxes or of one.
func (h *trueHost) containers(id string) []container.Summary {
	h.t.Helper()
	own := filters.NewArgs(filters.Arg("label", "openshell.ai/sandbox-namespace="+h.driver.Namespace))
	if id != "" {
		own.Add("label", "openshell.ai/sandbox-id="+id)
	}
	found, err := h.engine.client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: own})
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

func (h *trueHost) container(s gateway.Sandbox) string {
	h.t.Helper()
	found := h.containers(s.ID)
	if len(found) != 1 {
		h.t.Fatalf("%d containers pass for sandbox %s, want one", len(found), s.Key())
	}
	return found[0].ID
}

// said is what a sandbox's supervisor printed.
func (h *trueHost) said(id string) string {
	found := h.containers(id)
	if len(found) == 0 {
		return ""
	}
	out, err := h.engine.client.ContainerLogs(context.Background(), found[0].ID, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "20"})
	if err != nil {
		return err.Error()
	}
	defer out.Close()
	text, _ := io.ReadAll(out) // as much as there is
	return string(text)
}

// cli runs the real command line.
func (h *trueHost) cli(args ...string) printed {
	h.t.Helper()
	return run(h.t, h.env, append([]string{h.openshell}, args...)...)
}

// cliJSON runs it with -o json.
func (h *trueHost) cliJSON(args ...string) any {
	h.t.Helper()
	p := h.cli(append(args, "-o", "json")...)
	var document any
	if err := json.Unmarshal([]byte(p.stdout), &document); err != nil {
		h.t.Fatalf("openshell %q: %v\n%s\n%s", args, err, p.stdout, p.stderr)
	}
	return document
}

// fileIn is the content of a file of a container, and whether it is there.
func (e *engine) fileIn(containerID, path string) (content string, there bool) {
	e.t.Helper()
	stream, _, err := e.client.CopyFromContainer(e.t.Context(), containerID, path)
	if err != nil {
		return "", false
	}
	defer stream.Close()
	r := tar.NewReader(stream)
	if _, err := r.Next(); err != nil {
		return "", !errors.Is(err, io.EOF)
	}
	b, err := io.ReadAll(r)
	return string(b), err == nil
}
