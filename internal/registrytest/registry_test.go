package registrytest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ask makes one request and gives status and body.
func (r *Registry) ask(t *testing.T, method, path, body string, more ...string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(more) == 2 {
		q.SetBasicAuth(more[0], more[1])
	}
	q.Header.Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

// stocked has a blob and a manifest under tag 2 of a/box.
func stocked(t *testing.T) (r *Registry, blob string) {
	t.Helper()
	r = Start(t)
	blob = digestOf([]byte("layer"))
	for _, step := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/v2/a/box/blobs/uploads/", "", 202},
		{"PATCH", "/v2/a/box/blobs/uploads/1", "lay", 202},
		{"PUT", "/v2/a/box/blobs/uploads/1?digest=" + blob, "er", 201},
		{"PUT", "/v2/a/box/manifests/2", `{"schemaVersion":2}`, 201},
	} {
		if got, said := r.ask(t, step.method, step.path, step.body); got != step.want {
			t.Fatalf("%s %s = %d %s, want %d", step.method, step.path, got, said, step.want)
		}
	}
	return r, blob
}

func TestWhatWasPushedCanBePulled(t *testing.T) {
	r, blob := stocked(t)
	digest := r.Digest("a/box", "2")
	for _, c := range []struct {
		path string
		want int
		says string
	}{
		{"/v2/", 200, ""},
		{"/v2/a/box/blobs/" + blob, 200, "layer"},
		{"/v2/a/box/blobs/" + digestOf(nil), 404, "BLOB_UNKNOWN"},
		{"/v2/a/box/manifests/2", 200, "schemaVersion"},
		{"/v2/a/box/manifests/" + digest, 200, "schemaVersion"},
		{"/v2/other/manifests/" + digest, 404, "MANIFEST_UNKNOWN"},
		{"/v2/a/box/manifests/3", 404, "MANIFEST_UNKNOWN"},
		{"/v2/a/box/tags", 405, "UNSUPPORTED"},
		{"/", 404, "not found"},
	} {
		if got, said := r.ask(t, "GET", c.path, ""); got != c.want || !strings.Contains(said, c.says) {
			t.Errorf("GET %s = %d %q, want %d %q", c.path, got, said, c.want, c.says)
		}
	}
	for path, want := range map[string]int{"/v2/a/box/blobs/uploads/9": 404, "/v2/a/box/blobs/uploads/1?digest=sha256:0": 400} {
		if got, said := r.ask(t, "PUT", path, ""); got != want {
			t.Errorf("PUT %s = %d %s, want %d", path, got, said, want)
		}
	}
	r.Forget("a/box", "2")
	if got, _ := r.ask(t, "GET", "/v2/a/box/manifests/2", ""); got != 404 || r.Digest("a/box", "2") != "" {
		t.Errorf("a tag that is forgotten = %d", got)
	}
}

func TestARegistryThatAsksHoldsAndDies(t *testing.T) {
	r, blob := stocked(t)
	r.Demand("ann", "pw")
	none, _ := r.ask(t, "GET", "/v2/", "")
	wrong, _ := r.ask(t, "GET", "/v2/", "", "ann", "guess")
	right, _ := r.ask(t, "GET", "/v2/", "", "ann", "pw")
	if none != 401 || wrong != 401 || right != 200 {
		t.Errorf("without, with a wrong, with the right password: %d, %d, %d", none, wrong, right)
	}
	r.Demand("", "")
	r.Hold(6)
	if _, said := r.ask(t, "GET", "/v2/a/box/blobs/"+blob, ""); said != "layer" {
		t.Errorf("a blob that is too small to be held: %q", said)
	}
	release := r.Hold(5)
	came := make(chan string, 1)
	go func() {
		_, said := r.ask(t, "GET", "/v2/a/box/blobs/"+blob, "")
		came <- said
	}()
	select {
	case said := <-came:
		t.Errorf("a blob that is held came: %q", said)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if said := <-came; said != "layer" {
		t.Errorf("after the release: %q", said)
	}
	r.Before(func(call string) {
		if call == "GET /v2/a/box/manifests/2" {
			r.Close()
		}
	})
	if got, said := r.ask(t, "GET", "/v2/a/box/manifests/2", ""); got != 0 {
		t.Errorf("a registry that dies before it answers: %d %q", got, said)
	}
	if got, said := r.ask(t, "GET", "/v2/", ""); got != 0 || !strings.Contains(said, "refused") {
		t.Errorf("a dead registry answers %d %q", got, said)
	}
}
