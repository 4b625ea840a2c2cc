package registrytest

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

func (r *Registry) getManifest(w http.ResponseWriter, q *http.Request, repository, ref string) {
	r.mu.Lock()
	digest := ref
	if !strings.Contains(ref, ":") {
		digest = r.tags[repository+":"+ref]
	}
	found, there := r.manifests[repository+"@"+digest]
	r.mu.Unlock()
	if !there {
		fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	w.Header().Set("Content-Type", found.mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", strconv.Itoa(len(found.content)))
	if q.Method == http.MethodGet {
		_, _ = w.Write(found.content)
	}
}

func (r *Registry) putManifest(w http.ResponseWriter, q *http.Request, repository, ref string) {
	content, err := io.ReadAll(q.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	digest := digestOf(content)
	r.mu.Lock()
	r.manifests[repository+"@"+digest] = manifest{mediaType: q.Header.Get("Content-Type"), content: content}
	if !strings.Contains(ref, ":") {
		r.tags[repository+":"+ref] = digest
	}
	r.mu.Unlock()
	w.Header().Set("Location", "/v2/"+repository+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}
