package registrytest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// upload begins, continues and ends the upload of a blob.
func (r *Registry) upload(w http.ResponseWriter, q *http.Request, repository, number string) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		fail(w, http.StatusBadRequest, "BLOB_UPLOAD_INVALID", err.Error())
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Method == http.MethodPost {
		number = strconv.Itoa(len(r.uploads) + 1)
		r.uploads[number] = nil
	}
	if _, begun := r.uploads[number]; !begun {
		fail(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		return
	}
	r.uploads[number] = append(r.uploads[number], body...)
	if q.Method != http.MethodPut {
		w.Header().Set("Location", "/v2/"+repository+"/blobs/uploads/"+number)
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(r.uploads[number])-1, 0)))
		w.WriteHeader(http.StatusAccepted)
		return
	}

	digest := q.URL.Query().Get("digest")
	if digestOf(r.uploads[number]) != digest {
		fail(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	r.blobs[digest] = r.uploads[number]
	w.Header().Set("Location", "/v2/"+repository+"/blobs/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// blob sends a blob; of a blob that is held back only the first half for the time being.
func (r *Registry) blob(w http.ResponseWriter, q *http.Request, digest string) {
	r.mu.Lock()
	content, there := r.blobs[digest]
	held := r.held
	if len(content) < r.heldSize {
		held = nil
	}
	r.mu.Unlock()
	if !there {
		fail(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if q.Method == http.MethodHead {
		return
	}
	half := len(content) / 2
	_, _ = w.Write(content[:half])
	if held != nil {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-held:
		case <-q.Context().Done():
			return
		case <-r.done:
			return
		}
	}

	_, _ = w.Write(content[half:])
}
