package dockertest_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
)

func connect(t *testing.T, d *dockertest.Daemon) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(d.Host()), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestFaults(t *testing.T) {
	list := func(ctx context.Context, c *client.Client) error {
		_, err := c.ContainerList(ctx, container.ListOptions{All: true})
		return err
	}
	archive := func(ctx context.Context, c *client.Client) error {
		body, _, err := c.CopyFromContainer(ctx, "box", "/sandbox")
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(io.Discard, body)
		return err
	}
	tests := []struct {
		name  string
		fault dockertest.Fault
		call  func(context.Context, *client.Client) error
		fails []bool // of three calls in a row
	}{
		{"none", dockertest.Fault{Call: "GET /nothing"}, list, []bool{false, false, false}},
		{"hangs", dockertest.Fault{Call: "GET /containers/json", Hang: true}, list, []bool{true, true, true}},
		{"slower than the limit", dockertest.Fault{Call: "GET /containers/json", Delay: time.Minute}, list, []bool{true, true, true}},
		{"slow", dockertest.Fault{Delay: time.Millisecond}, list, []bool{false, false, false}},
		{"refuses the second call", dockertest.Fault{Call: "GET /containers/json", Skip: 1, Times: 1, Status: 500}, list, []bool{false, true, false}},
		{"answers garbage", dockertest.Fault{Call: "GET /containers/json", Status: 200, Body: "<html>"}, list, []bool{true, true, true}},
		{"dies in the stream", dockertest.Fault{Call: "GET /containers/box/archive", Cut: 700}, archive, []bool{true, true, true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dockertest.Start(t)
			d.Add(dockertest.Container{Name: "box", Files: []dockertest.File{{Path: "/sandbox/a", Data: make([]byte, 4096)}}})
			d.Break(test.fault)
			c := connect(t, d)
			var got []bool
			limit := time.Minute // for what answers
			if test.fault.Hang || test.fault.Delay >= limit {
				limit = 200 * time.Millisecond
			}
			for range test.fails {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				got = append(got, test.call(ctx, c) != nil)
				cancel()
			}
			if diff := cmp.Diff(test.fails, got); diff != "" {
				t.Errorf("which calls fail (-want +got):\n%s", diff)
			}
			d.Heal()
			if err := test.call(t.Context(), c); err != nil {
				t.Errorf("after Heal: %v", err)
			}
		})
	}
}

func TestCallsAreLogged(t *testing.T) {
	d := dockertest.Start(t)
	id := d.Add(dockertest.Container{Name: "box"})
	c := connect(t, d)
	if err := c.ContainerPause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	want := []string{"HEAD /_ping", "POST /containers/" + id + "/pause"}
	if diff := cmp.Diff(want, d.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if box, ok := d.Get("box"); !ok || box.State != "paused" {
		t.Errorf("Get = %q, %v, want a paused container", box.State, ok)
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	d := dockertest.Start(t)
	c := connect(t, d)
	response, err := c.HTTPClient().Get("http://docker/volumes")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d for a path the daemon does not speak, want 404", response.StatusCode)
	}
}
