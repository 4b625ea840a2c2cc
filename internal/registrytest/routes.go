package registrytest

import (
	"net/http"
	"strings"
)

// routes splits paths by hand: a repository's name may have slashes in it.
func (r *Registry) routes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !r.admit(q) {
			w.Header().Set("Www-Authenticate", `Basic realm="registrytest"`)
			fail(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}

		path, ok := strings.CutPrefix(q.URL.Path, "/v2/")
		switch {
		case !ok:
			http.NotFound(w, q)
		case path == "":
			w.WriteHeader(http.StatusOK)
		default:
			r.route(w, q, path)
		}
	})
}

// admit logs a call and reports whether its credentials are the ones that are asked for.
func (r *Registry) admit(q *http.Request) bool {
	call := q.Method + " " + q.URL.Path
	r.mu.Lock()
	r.calls = append(r.calls, call)
	before := r.before
	r.mu.Unlock()
	if before != nil {
		before(call)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	user, password, _ := q.BasicAuth()
	return r.user == "" || user == r.user && password == r.password
}

func (r *Registry) route(w http.ResponseWriter, q *http.Request, path string) {
	reading := q.Method == http.MethodGet || q.Method == http.MethodHead
	if repository, upload, ok := cut(path, "/blobs/uploads/"); ok {
		r.upload(w, q, repository, upload)
	} else if _, digest, ok := cut(path, "/blobs/"); ok && reading {
		r.blob(w, q, digest)
	} else if repository, ref, ok := cut(path, "/manifests/"); ok && reading {
		r.getManifest(w, q, repository, ref)
	} else if ok && q.Method == http.MethodPut {
		r.putManifest(w, q, repository, ref)
	} else {
		fail(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported")
	}
}

// cut splits at the last separator.
func cut(path, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(path, separator)
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+len(separator):], true
}
