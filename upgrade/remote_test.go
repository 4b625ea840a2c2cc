package upgrade

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sandkeeper/driver"
	"sandkeeper/internal/dockertest"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
}

// remote is the world's gateway as a driver, from any process. point is called before and after what changes something.
type remote struct {
	socket string
	point  func(string)
}

func (r *remote) call(ctx context.Context, op string, argument []byte, answer any) error {
	if slices.Contains([]string{"create", "delete", "stop", "start"}, op) {
		r.point("before " + op)
		defer r.point("after " + op)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway/"+op, strings.NewReader(string(argument)))
	if err != nil {
		return err
	}
	response, err := unixClient(r.socket).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		said := strings.TrimSpace(string(body))
		if strings.Contains(said, openshell.ErrPhase.Error()) {
			err = errors.Join(err, openshell.ErrPhase)
		}
		return errors.Join(err, errors.New(said))
	}
	return json.Unmarshal(body, answer)
}

func (r *remote) CreateSandbox(ctx context.Context, request lifecycle.Request) (record lifecycle.Record, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return record, err
	}
	return record, r.call(ctx, "create", body, &record)
}

func (r *remote) DeleteSandbox(ctx context.Context, sandbox lifecycle.Reference) error {
	return r.call(ctx, "delete", []byte(sandbox.ID), new(any))
}

func (r *remote) StopSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	return r.call(ctx, "stop", []byte(sb.ID), new(any))
}

func (r *remote) StartSandbox(ctx context.Context, sb sandbox.Sandbox) error {
	return r.call(ctx, "start", []byte(sb.ID), new(any))
}

func (r *remote) ListSandboxes(ctx context.Context) (records []lifecycle.Record, err error) {
	return records, r.call(ctx, "list", nil, &records)
}

func (r *remote) WatchSandboxes(context.Context, func(lifecycle.Change) error) error {
	return errors.New("nobody watches")
}

func (r *remote) Recipe(ctx context.Context, _ driver.Place, name string) (recipe driver.Recipe, err error) {
	err = r.call(ctx, "recipe", []byte(name), &recipe)
	if err != nil && strings.Contains(err.Error(), "no such") {
		err = errors.Join(err, fs.ErrNotExist)
	}
	return recipe, err
}

func ref(id string) lifecycle.Reference {
	return lifecycle.Reference{ID: id, Name: "alpha", Gateway: "gw"}
}

// put unpacks files into a container.
func (w *world) put(t *testing.T, container string, files []dockertest.File) {
	t.Helper()
	var body bytes.Buffer
	archive := tar.NewWriter(&body)
	for _, f := range files {
		h := &tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Typeflag: max(f.Type, tar.TypeReg), Mode: f.Mode, Uid: f.UID, Gid: f.GID, Linkname: f.Link, Size: int64(len(f.Data))}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(f.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	request, _ := http.NewRequest(http.MethodPut, "http://docker/containers/"+container+"/archive?path=/", &body)
	answer, err := unixClient(w.engine.Socket).Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
}
