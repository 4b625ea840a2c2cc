package dockertest

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// exec is one command that was made in a container.
type exec struct {
	container string
	argv      []string
	exit      int
}

func (d *Daemon) createExec(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Cmd []string }
	err := json.NewDecoder(r.Body).Decode(&asked)
	d.with(w, r, func(c *Container) {
		switch {
		case err != nil || len(asked.Cmd) == 0:
			refuse(w, http.StatusBadRequest, "No exec command specified")
		case c.State == "paused":
			refuse(w, http.StatusConflict, "Container "+c.Name+" is paused, unpause the container before exec")
		case c.State != "running":
			refuse(w, http.StatusConflict, "Container "+c.ID+" is not running")
		default:
			d.made++
			id := hexID("e", d.made)
			d.execs[id] = &exec{container: c.ID, argv: asked.Cmd}
			reply(w, http.StatusCreated, map[string]string{"Id": id})
		}
	})
}

// startExec answers on the raw connection, standard output and error interleaved in frames.
func (d *Daemon) startExec(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	d.mu.Lock()
	run := d.execs[r.PathValue("id")]
	var answer func([]string) (string, string, int)
	if run != nil && d.containers[run.container] != nil {
		answer = d.containers[run.container].Exec
	}
	d.mu.Unlock()
	if run == nil {
		refuse(w, http.StatusNotFound, "No such exec instance: "+r.PathValue("id"))
		return
	}
	stdout, stderr, exit := "", "executable file not found in $PATH", 127
	if answer != nil {
		stdout, stderr, exit = answer(run.argv)
	}
	d.mu.Lock()
	run.exit = exit
	d.mu.Unlock()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = buffered.WriteString("HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	frame(buffered, 1, stdout)
	frame(buffered, 2, stderr)
	_ = buffered.Flush()
}

// frame writes one piece of a stream: its number, three zero bytes, the length, the bytes.
func frame(w io.Writer, stream byte, text string) {
	if text == "" {
		return
	}
	header := [8]byte{stream}
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	_, _ = w.Write(append(header[:], text...))
}

func (d *Daemon) inspectExec(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	run := d.execs[r.PathValue("id")]
	if run == nil {
		refuse(w, http.StatusNotFound, "No such exec instance: "+r.PathValue("id"))
		return
	}
	reply(w, http.StatusOK, map[string]any{"ID": r.PathValue("id"), "Running": false, "ExitCode": run.exit, "ContainerID": run.container})
}

func (d *Daemon) commit(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	r.SetPathValue("id", query.Get("container"))
	d.with(w, r, func(c *Container) {
		d.made++
		id := "sha256:" + hexID("2", d.made)
		if repo := query.Get("repo"); repo != "" {
			tag := query.Get("tag")
			if tag == "" {
				tag = "latest"
			}
			d.images[familiar(repo+":"+tag)] = id
		}

		d.kept[id] = Image{Labels: committedLabels(c.Labels, query["changes"]), Workdir: c.Workdir, Files: slices.Clone(c.Files), layer: "sha256:" + hexID("3", d.made)}
		reply(w, http.StatusCreated, map[string]string{"Id": id})
	})
}

func (d *Daemon) inspectImage(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref, ok := strings.CutSuffix(r.PathValue("ref"), "/json")
	_, id := d.image(ref)
	if !ok || id == "" {
		refuse(w, http.StatusNotFound, "No such image: "+ref)
		return
	}
	var names []string
	for name, other := range d.images {
		if other == id {
			names = append(names, name)
		}
	}

	slices.Sort(names)
	kept, committed := d.kept[id]
	if !committed {
		kept = Image{Workdir: d.workdirs[id], layer: id}
	}
	reply(w, http.StatusOK, map[string]any{
		"Id": id, "RepoTags": names, "Created": time.Unix(0, 0).UTC(), "Os": "linux", "Architecture": "amd64",
		"Config": map[string]any{"WorkingDir": kept.Workdir, "Labels": kept.Labels},
		"RootFS": map[string]any{"Type": "layers", "Layers": kept.layers()},
	})
}

func (d *Daemon) removeImage(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, id := d.image(r.PathValue("ref"))
	if id == "" {
		refuse(w, http.StatusNotFound, "No such image: "+r.PathValue("ref"))
		return
	}
	delete(d.images, name)
	if !slices.Contains(slices.Collect(maps.Values(d.images)), id) {
		delete(d.kept, id)
	}
	reply(w, http.StatusOK, []map[string]string{{"Untagged": name}})
}

// image finds a reference, with :latest when it has no tag, or an id. An image stays without a name for as long as a
// container is made from it, or when a commit or a load took the name away.
func (d *Daemon) image(ref string) (name, id string) {
	ref = tagged(ref)
	if id := d.images[ref]; id != "" {
		return ref, id
	}
	for name, id := range d.images {
		if id == ref {
			return name, id
		}
	}

	if _, kept := d.kept[ref]; kept {
		return "", ref
	}
	for _, c := range d.containers {
		if c.ImageID == ref {
			return "", ref
		}
	}

	return "", ""
}

// familiar is a reference as people write it: clients send the default registry's full name.
func familiar(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
}
