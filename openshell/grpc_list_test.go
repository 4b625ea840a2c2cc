package openshell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sandkeeper/openshell/wire"
	"sandkeeper/test/e2e/gateway"
)

func many(n int) *gateway.Memory {
	var all []gateway.Sandbox
	for i := range n {
		all = append(all, gateway.Sandbox{
			ID: fmt.Sprintf("id-%04d", i), Name: fmt.Sprintf("s-%04d", i), Image: "img", Phase: gateway.Ready, Created: start.Add(time.Duration(i) * time.Second),
		})
	}
	return gateway.NewMemory(all...)
}

// The API for another workspace asks there, and the one it was made from goes on in its own.
func TestIn(t *testing.T) {
	api := connectTo(t, &gateway.Server{Version: "0.1.5", Backend: twoSandboxes()}, false)
	if in := api.In("team2"); in.workspace != "team2" || api.workspace != "default" || api.In("").workspace != "default" {
		t.Errorf("workspaces %q and %q", in.workspace, api.workspace)
	}
	old := connectTo(t, &gateway.Server{Version: "0.0.87", Backend: twoSandboxes()}, false)
	if in := old.In("team2"); in.workspace != "default" {
		t.Errorf("0.0.87 knows no workspace: %q", in.workspace)
	}
}

func TestAllPages(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.2", "0.0.0"} {
		for _, n := range []int{0, 1, 99, 100, 101, 199, 200, 250} {
			server := &gateway.Server{Version: version, Backend: many(n)}
			if version == "0.0.0" {
				server.Version, server.Says = "0.0.110", "0.0.0"
			}
			rows, err := connect(t, serve(t, server, nil)).Sandboxes(t.Context())
			if err != nil || len(rows) != n {
				t.Errorf("%s with %d sandboxes: %d, %v", version, n, len(rows), err)
			}
			for i, row := range rows {
				if row.Name != fmt.Sprintf("s-%04d", i) {
					t.Fatalf("%s: row %d is %q", version, i, row.Name)
				}
			}
		}
	}
}

// A sandbox that is deleted between two pages moves those after it: none of them may be missing.
func TestListThatChangesWhileItIsRead(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110"} {
		backend := many(250)
		var lists atomic.Int32
		server := &gateway.Server{Version: version, Backend: backend, Calls: func(method string) {
			if strings.HasSuffix(method, "ListSandboxes") && lists.Add(1) == 2 {
				_, _ = backend.Delete(context.Background(), "s-0007")
			}
		}}
		rows, err := connect(t, serve(t, server, nil)).Sandboxes(t.Context())
		if err != nil || len(rows) != 249 || slices.ContainsFunc(rows, func(r RawSandbox) bool { return r.Name == "s-0007" }) {
			t.Errorf("%s: %d rows, %v", version, len(rows), err)
		}
	}
}

func TestListThatNeverHoldsStill(t *testing.T) {
	backend := many(250)
	n := 0
	server := &gateway.Server{Version: "0.0.110", Backend: backend, Calls: func(method string) {
		if strings.HasSuffix(method, "ListSandboxes") {
			_, _ = backend.Delete(context.Background(), fmt.Sprintf("s-%04d", n))
			n++
		}
	}}
	rows, err := connect(t, serve(t, server, nil)).Sandboxes(t.Context())
	if failure, ok := errors.AsType[*CallError](err); !ok || !strings.Contains(failure.Message, "changed") || rows != nil {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestPagesThatCannotBeTrusted(t *testing.T) {
	full := make([]item, apiPageSize)
	for i := range full {
		full[i].key = fmt.Sprint(i)
	}
	calls := 0
	for name, read := range map[string]func() ([]item, error){
		"the same page for every offset": func() ([]item, error) {
			return allByOffset(func(wire.Page) (page, error) { return page{items: full}, nil })
		},
		"a page that ends before its own beginning": func() ([]item, error) {
			return allByOffset(func(p wire.Page) (page, error) { return page{items: full[min(p.Offset*2, apiPageSize):]}, nil })
		},
		"a token that leads to itself": func() ([]item, error) {
			return allByToken(func(wire.Page) (page, error) { return page{next: "t"}, nil })
		},
		"the same rows under new tokens": func() ([]item, error) {
			calls = 0
			return allByToken(func(wire.Page) (page, error) {
				calls++
				return page{items: full[:1], next: []string{"a", "b", ""}[calls-1]}, nil
			})
		},
	} {
		if items, err := read(); !errors.Is(err, errMoving) {
			t.Errorf("%s: %d items, %v", name, len(items), err)
		}
	}
}
