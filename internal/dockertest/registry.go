package dockertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"strings"
)

// Published is an image in the one registry that the daemon knows.
type Published struct {
	Digest string // of its manifest
	ID     string // of the image once it is pulled
}

// Publish makes the registry have an image under a reference.
func (d *Daemon) Publish(ref string, p Published) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.published[tagged(ref)] = p
}

// Withdraw makes the registry forget a reference.
func (d *Daemon) Withdraw(ref string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.published, tagged(ref))
}

// Demand makes the registry ask for a password from now on.
func (d *Daemon) Demand(user, password string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.login = user + ":" + password
}

// distribution is what the registry says about a reference.
func (d *Daemon) distribution(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ref := strings.TrimSuffix(r.PathValue("ref"), "/json")
	found, there := d.published[tagged(ref)]
	switch {
	case !d.admits(w, r):
	case !there:
		refuse(w, http.StatusNotFound, "manifest unknown")
	default:
		reply(w, http.StatusOK, map[string]any{
			"Descriptor": map[string]any{"MediaType": "application/vnd.docker.distribution.manifest.v2+json", "Digest": found.Digest, "Size": 524},
			"Platforms":  []map[string]string{{"Architecture": "amd64", "OS": "linux"}},
		})
	}
}

// pull answers with the report of a pull. Docker 20.10 gives a registry's refusals the status 500.
func (d *Daemon) pull(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, tag := r.URL.Query().Get("fromImage"), r.URL.Query().Get("tag")
	ref := tagged(name + ":" + tag)
	found, there := d.published[ref]
	switch {
	case !d.admits(w, r):
		return
	case !there:
		refuse(w, http.StatusInternalServerError, "manifest unknown")
		return
	}

	d.images[ref] = found.ID
	w.Header().Set("Content-Type", "application/json")
	lines := json.NewEncoder(w)
	for _, line := range []map[string]any{
		{"status": "Pulling from " + name, "id": tag},
		{"status": "Pulling fs layer", "progressDetail": map[string]int{}, "id": "3aba1fd02d3d"},
		{"status": "Downloading", "progressDetail": map[string]int{"current": 1072, "total": 2145}, "id": "3aba1fd02d3d"},
		{"status": "Download complete", "progressDetail": map[string]int{}, "id": "3aba1fd02d3d"},
		{"status": "Pull complete", "progressDetail": map[string]int{}, "id": "3aba1fd02d3d"},
		{"status": "Digest: " + found.Digest},
		{"status": "Status: Downloaded newer image for " + ref},
	} {
		_ = lines.Encode(line)
	}
}

// admits refuses a call whose credentials are not the registry's; the lock is held.
func (d *Daemon) admits(w http.ResponseWriter, r *http.Request) bool {
	var given struct{ Username, Password string }
	decoded, _ := base64.URLEncoding.DecodeString(r.Header.Get("X-Registry-Auth"))
	_ = json.Unmarshal(decoded, &given)
	switch {
	case d.login == "" || d.login == given.Username+":"+given.Password:
		return true
	case given.Username == "":
		refuse(w, http.StatusInternalServerError, `Head "http://registry.test/v2/": no basic auth credentials`)
	default:
		refuse(w, http.StatusUnauthorized, "unauthorized")
	}

	return false
}

// tagged is a reference as people write it, with its tag.
func tagged(ref string) string {
	ref = familiar(ref)
	if !strings.Contains(path.Base(ref), ":") {
		ref += ":latest"
	}
	return ref
}
