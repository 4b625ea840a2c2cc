package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/dockertest"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
)

// world is a gateway with one container engine, both outside of the process that upgrades: they outlive its death. Its driver makes
// containers as the docker driver does: its own labels over those of the image, the image's files, the home in the writable layer.
type world struct {
	engine *dockertest.Daemon
	socket string

	mu        sync.Mutex
	sandboxes map[string]*box // by id
	recipes   map[string]driver.Recipe
	made      int
	log       []string
	refuse    map[string]string // operation → the error it ends with
	phases    []string          // of the next sandbox that is created, look by look; the last one stays
	hook      func(op string)   // called with the lock held, before an operation
	blind     bool              // it has not noticed yet that a container does not run
	lost      string            // the operation whose next answer is an error although it was carried out
}

type box struct {
	lifecycle.Record
	phases []string
}

// home are the files of the old sandbox.
func homeDir() []dockertest.File {
	return []dockertest.File{
		{Path: "/sandbox", Type: '5', Mode: 0o755, UID: 998, GID: 998},
		{Path: "/sandbox/notes.md", Data: []byte("memory of alpha\n"), Mode: 0o640, UID: 998, GID: 998},
		{Path: "/sandbox/.openclaw", Type: '5', Mode: 0o700, UID: 998, GID: 998},
		{Path: "/sandbox/.openclaw/workspace", Type: '5', Mode: 0o700, UID: 998, GID: 998},
		{Path: "/sandbox/.openclaw/workspace/plan.md", Data: []byte("plan\n"), Mode: 0o600, UID: 998, GID: 998},
		{Path: "/sandbox/link", Type: '2', Link: "notes.md", UID: 998, GID: 998},
	}
}

// newImage are the files of a container that was just made from the new image.
func newImage() []dockertest.File {
	return []dockertest.File{
		{Path: "/sandbox", Type: '5', Mode: 0o755, UID: 998, GID: 998},
		{Path: "/sandbox/welcome", Data: []byte("from the new image\n"), UID: 998, GID: 998},
	}
}

const (
	oldImage = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
	newImg   = "sha256:0000000000000000000000000000000000000000000000000000000000000002"
)

// startWorld has sandboxes of the given names, made from what img:1 named before it moved on.
func startWorld(t testing.TB, state string, names ...string) *world {
	t.Helper()
	w := &world{engine: dockertest.Start(t), sandboxes: map[string]*box{}, recipes: map[string]driver.Recipe{}, refuse: map[string]string{}}
	for _, name := range names {
		id := "id-" + name
		w.engine.Add(dockertest.Container{
			ID: fmt.Sprintf("%064x", len(w.sandboxes)+100), Name: "openshell-" + name + "-" + id, Labels: sandboxLabels(name, id), Image: "img:1", ImageID: oldImage,
			State: state, Files: homeDir(),
		})
		phase := map[string]string{"running": "Ready", "exited": "Stopped"}[state]
		w.sandboxes[id] = &box{Record: lifecycle.Record{ID: id, Name: name, Gateway: "gw", Phase: phase, Labels: map[string]string{"team": "red"}}}
		w.recipes[id] = driver.Recipe{SandboxID: id, Name: name, Gateway: "gw", Image: "img:1", Spec: specOf("img:1"), Labels: map[string]string{"team": "red"}}
	}
	w.engine.AddImage("img:1", newImg)
	dir, err := os.MkdirTemp("", "world")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w.socket = filepath.Join(dir, "s")
	listener, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return w
}

func sandboxLabels(name, id string) map[string]string {
	return map[string]string{engine.LabelManagedBy: "openshell", engine.LabelSandboxName: name, engine.LabelSandboxID: id, engine.LabelNamespace: "default"}
}

// ServeHTTP answers one operation: its name is the path, its argument and its answer are JSON.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := strings.TrimPrefix(r.URL.Path, "/")
	if op != "list" {
		w.log = append(w.log, op)
	}
	if w.hook != nil {
		w.hook(op)
	}
	if why, refused := w.refuse[op]; refused {
		http.Error(out, why, http.StatusInternalServerError)
		return
	}
	body, _ := io.ReadAll(r.Body)
	var answer any
	var err error
	switch op {
	case "list":
		answer = w.list()
	case "recipe":
		answer, err = w.recipe(string(body))
	case "create":
		answer, err = w.create(body)
	case "delete":
		err = w.delete(string(body))
	case "stop":
		err = w.phase(string(body), "Ready", "Stopped")
	case "start":
		err = w.phase(string(body), "Stopped", "Ready")
	}
	if err == nil && op == w.lost {
		w.lost, err = "", errors.New("the connection was lost")
	}
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(out).Encode(answer)
}

func (w *world) list() []lifecycle.Record {
	records := []lifecycle.Record{}
	for _, id := range slices.Sorted(maps.Keys(w.sandboxes)) {
		b := w.sandboxes[id]
		if len(b.phases) > 0 {
			b.Phase, b.phases = b.phases[0], b.phases[1:]
		}
		record := b.Record
		if c, there := w.container(id); record.Phase == "Ready" && there && c.State != "running" && !w.blind {
			record.Phase = "Error" // it ended, and nobody has told the gateway to stop it
		}
		records = append(records, record)
	}
	return records
}

func (w *world) container(id string) (dockertest.Container, bool) {
	for _, c := range w.containers() {
		if c.Labels[engine.LabelSandboxID] == id {
			return c, true
		}
	}
	return dockertest.Container{}, false
}

// containers are those that pass for sandboxes.
func (w *world) containers() []dockertest.Container {
	var found []dockertest.Container
	for i := range 200 {
		for _, id := range []string{fmt.Sprintf("%064x", i+100), fmt.Sprintf("ab%062x", i)} {
			if c, there := w.engine.Get(id); there && c.Labels[engine.LabelManagedBy] == "openshell" {
				found = append(found, c)
			}
		}
	}
	return found
}

func (w *world) recipe(name string) (driver.Recipe, error) {
	for _, r := range w.recipes {
		if r.Name == name {
			return r, nil
		}
	}
	return driver.Recipe{}, errors.New("no such sandbox")
}

func (w *world) create(body []byte) (lifecycle.Record, error) {
	var request lifecycle.Request
	if err := json.Unmarshal(body, &request); err != nil {
		return lifecycle.Record{}, err
	}
	recipe, err := driver.DecodeRecipe(request.Spec)
	if err != nil {
		return lifecycle.Record{}, err
	}
	for _, b := range w.sandboxes {
		if b.Name == request.Name {
			return lifecycle.Record{}, errors.New("already exists")
		}
	}
	w.made++
	id := fmt.Sprintf("id-new-%d", w.made)
	labels, files, imageID := map[string]string{}, newImage(), newImg
	if kept, ok := w.engine.Committed(recipe.Image); ok {
		labels, files, imageID = kept.Labels, kept.Files, kept.ID
	} else if recipe.Image == oldImage {
		imageID = oldImage
	} else if recipe.Image != "img:1" {
		return lifecycle.Record{}, fmt.Errorf("no such image: %s", recipe.Image)
	}
	maps.Copy(labels, sandboxLabels(request.Name, id))
	w.engine.Add(dockertest.Container{
		ID: fmt.Sprintf("ab%062x", w.made), Name: "openshell-" + request.Name + "-" + id, Labels: labels, Image: recipe.Image, ImageID: imageID, Files: files,
	})
	recipe.SandboxID = id
	b := &box{Record: lifecycle.Record{ID: id, Name: request.Name, Gateway: request.Gateway, Phase: "Ready", Labels: request.Labels}, phases: w.phases}
	w.phases = nil
	w.sandboxes[id], w.recipes[id] = b, recipe
	return b.Record, nil
}

func (w *world) delete(id string) error {
	if w.sandboxes[id] == nil {
		return nil
	}
	delete(w.sandboxes, id)
	delete(w.recipes, id)
	if c, there := w.container(id); there {
		request, _ := http.NewRequest(http.MethodDelete, "http://docker/containers/"+c.ID+"?force=1", nil)
		answer, err := unixClient(w.engine.Socket).Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	return nil
}

// phase takes a sandbox from one phase to another, and its container with it, as its gateway does: from no other phase.
func (w *world) phase(id, from, to string) error {
	b := w.sandboxes[id]
	if b == nil {
		return errors.New("no such sandbox")
	}
	if b.Phase == to {
		return nil
	}
	c, there := w.container(id)
	if b.Phase != from || !there || from == "Ready" && c.State != "running" {
		return openshell.ErrPhase
	}
	verb := map[string]string{"Stopped": "stop", "Ready": "start"}[to]
	answer, err := unixClient(w.engine.Socket).Post("http://docker/containers/"+c.ID+"/"+verb, "", nil)
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s docker sandbox container: the engine answers %s", verb, answer.Status)
	}
	b.Phase = to
	return answer.Body.Close()
}

// fails makes an operation end with an error from now on; "" heals it.
func (w *world) fails(op, why string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse[op] = why
	if why == "" {
		delete(w.refuse, op)
	}
}

// specOf is a SandboxSpec with an image (field 1 of template 6), one variable (5), a varint (13) and a field that no generation has yet.
func specOf(image string) []byte {
	text := func(message []byte, number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(message, number, protowire.BytesType), value)
	}

	template := text(text(nil, 1, image), 2, "runc")
	spec := text(nil, 1, "info")
	spec = text(spec, 5, string(text(text(nil, 1, "TOKEN"), 2, "s3cret")))
	spec = text(spec, 6, string(template))
	spec = protowire.AppendVarint(protowire.AppendTag(spec, 13, protowire.VarintType), 1)
	return text(spec, 999, "from the future")
}

// listed is what the gateway lists.
func (w *world) listed() []lifecycle.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.list()
}
