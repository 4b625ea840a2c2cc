package dockertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (d *Daemon) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", d.ping)
	mux.HandleFunc("GET /version", d.version)
	mux.HandleFunc("GET /info", d.info)
	mux.HandleFunc("GET /containers/json", d.list)
	mux.HandleFunc("GET /containers/{id}/json", d.inspect)
	mux.HandleFunc("GET /containers/{id}/archive", d.getArchive) // and HEAD
	mux.HandleFunc("PUT /containers/{id}/archive", d.putArchive)
	mux.HandleFunc("POST /containers/{id}/exec", d.createExec)
	mux.HandleFunc("POST /containers/{id}/{action}", d.act)
	mux.HandleFunc("DELETE /containers/{id}", d.remove)
	mux.HandleFunc("POST /exec/{id}/start", d.startExec)
	mux.HandleFunc("GET /exec/{id}/json", d.inspectExec)
	mux.HandleFunc("POST /commit", d.commit)
	mux.HandleFunc("GET /distribution/{ref...}", d.distribution)
	mux.HandleFunc("POST /images/create", d.pull)
	mux.HandleFunc("POST /images/load", d.load)
	mux.HandleFunc("GET /images/{ref...}", d.inspectImage)
	mux.HandleFunc("DELETE /images/{ref...}", d.removeImage)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "page not found") })
	return mux
}

func (d *Daemon) ping(w http.ResponseWriter, _ *http.Request) {
	_, newest := d.api()
	w.Header().Set("Api-Version", newest)
	w.Header().Set("Ostype", "linux")
	_, _ = w.Write([]byte("OK"))
}

func (d *Daemon) version(w http.ResponseWriter, _ *http.Request) {
	oldest, newest := d.api()
	reply(w, http.StatusOK, map[string]any{
		"Version": "20.10.24", "ApiVersion": newest, "MinAPIVersion": oldest, "Os": "linux",
		"Components": []map[string]string{{"Name": "Engine", "Version": "20.10.24"}},
	})
}

const rootFolder = "/nonexistent/dockertest"

// info says which daemon this is. Its root folder is none of this host's, so nobody takes a disk of the host for the
// daemon's.
func (d *Daemon) info(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"ID": d.id, "Name": "dockertest", "DockerRootDir": rootFolder})
}

func (d *Daemon) list(w http.ResponseWriter, r *http.Request) {
	var filters map[string]map[string]bool
	if text := r.URL.Query().Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			refuse(w, http.StatusBadRequest, "invalid filter: "+err.Error())
			return
		}
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	all := r.URL.Query().Get("all") == "1"
	listed := []summary{}
	for _, c := range d.containers {
		if (all || c.State == "running" || c.State == "paused") && c.carries(filters["label"]) {
			listed = append(listed, c.summary())
		}
	}

	// Newest first, as Docker does.
	slices.SortFunc(listed, func(a, b summary) int { return strings.Compare(b.order, a.order) })
	if limit, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && limit > 0 {
		listed = listed[:min(limit, len(listed))]
	}
	reply(w, http.StatusOK, listed)
}

// carries reports whether c has every label of a filter, each "name" or "name=value".
func (c *Container) carries(labels map[string]bool) bool {
	for want := range labels {
		name, value, exact := strings.Cut(want, "=")
		if got, ok := c.Labels[name]; !ok || exact && got != value {
			return false
		}
	}
	return true
}

func (d *Daemon) inspect(w http.ResponseWriter, r *http.Request) {
	d.with(w, r, func(c *Container) { reply(w, http.StatusOK, c.details()) })
}

// with runs do on the container that the path names, under the lock.
func (d *Daemon) with(w http.ResponseWriter, r *http.Request, do func(*Container)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(r.PathValue("id"))
	if c == nil {
		refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
		return
	}
	do(c)
}

func (d *Daemon) act(w http.ResponseWriter, r *http.Request) {
	d.with(w, r, func(c *Container) {
		status, message := c.act(r.PathValue("action"))
		if status >= 400 {
			refuse(w, status, message)
			return
		}
		w.WriteHeader(status)
	})
}

// act changes the state as Docker does: 304 when a container runs or is stopped already, 409 when pausing makes no
// sense.
func (c *Container) act(action string) (status int, message string) {
	conflict := func(why string) (int, string) {
		return http.StatusConflict, fmt.Sprintf("Container %s is %s", c.ID, why)
	}
	switch {
	case action == "pause" && c.State == "paused":
		return conflict("already paused")
	case action == "pause" && c.State != "running":
		return conflict("not running")
	case action == "pause":
		c.State = "paused"
	case action == "unpause" && c.State != "paused":
		return conflict("not paused")
	case action == "unpause":
		c.State = "running"
	case action == "start" && c.State == "running":
		return http.StatusNotModified, ""
	case action == "start" && c.State == "paused":
		return conflict("paused, cannot start: try unpause")
	case action == "start":
		c.State, c.Started = "running", time.Now().UTC()
	case action == "stop" && c.State != "running" && c.State != "paused":
		return http.StatusNotModified, ""
	case action == "stop":
		c.State = "exited"
	default:
		return http.StatusNotFound, "page not found"
	}
	return http.StatusNoContent, ""
}

func (d *Daemon) remove(w http.ResponseWriter, r *http.Request) {
	d.with(w, r, func(c *Container) {
		if (c.State == "running" || c.State == "paused") && r.URL.Query().Get("force") != "1" {
			refuse(w, http.StatusConflict, "You cannot remove a "+c.State+" container "+c.ID+". Stop the container before attempting removal or force remove")
			return
		}
		delete(d.containers, c.ID)
		w.WriteHeader(http.StatusNoContent)
	})
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"message": message})
}
