package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"sandkeeper/engine"
)

// dice makes small random choices out of fuzzed bytes; when they run out, every choice is the first.
type dice []byte

func (d *dice) roll(sides int) int {
	if len(*d) == 0 {
		return 0
	}
	n := int((*d)[0]) % sides
	*d = (*d)[1:]
	return n
}

func pick[T any](d *dice, of ...T) T { return of[d.roll(len(of))] }

// randomHost is any host with few names on two gateways, so that they collide in every way.
func randomHost(d *dice) *host {
	h := &host{lists: list1{"nemoclaw": nil, "nemoclaw-9": nil}, gateway: pick(d, "nemoclaw", "nemoclaw-9")}
	seen := map[Key]bool{}
	for range d.roll(5) {
		r := driver(pick(d, "", "docker", "kubernetes"), on(pick(d, "nemoclaw", "nemoclaw-9"), row(pick(d, "a", "b", "../c"))))
		if key := (Key{r.Gateway, "", r.Name}); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		if d.roll(6) == 5 {
			r = unbound(r)
		}
		if d.roll(5) == 4 {
			h.elsewhere = append(h.elsewhere, r)
			continue
		}
		h.rows = append(h.rows, r)
	}
	for _, gw := range []string{"nemoclaw", "nemoclaw-9"} {
		for i := range d.roll(3) {
			s := listed(pick(d, "a", "b"), pick(d, "", gw+fmt.Sprint(i)), pick(d, "Ready", "Error", "Stopped"))
			s.Workspace = pick(d, "", "default", "team")
			h.lists[gw] = append(h.lists[gw], s)
		}
	}
	for i := range d.roll(6) {
		c := box(fmt.Sprintf("c%d", i), pick(d, "a", "b", "d", ""), pick(d, "", "nemoclaw0", "nemoclaw1", "nemoclaw-90"), pick(d, "running", "exited", "paused"))
		c.Namespace, c.Workspace = pick(d, "default", "n1", "n2"), pick(d, "", "default", "team")
		h.engine = append(h.engine, c)
		h.origins = map[string]string{c.ID: pick(d, "", "nemoclaw", "nemoclaw-9")}
	}
	return h
}

// FuzzTakeLosesNothing: every row and every listed sandbox is in the inventory once, every container is some sandbox's, a rival,
// or spoken of, and no container is two sandboxes' home.
func FuzzTakeLosesNothing(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("every colliding name on every gateway, with and without ids"))
	for i := range 40 {
		f.Add([]byte(strings.Repeat(fmt.Sprintf("%c%d%c", 'a'+i, i*7919, '0'+i*3%70), 14)))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		d := dice(bytes)
		h := randomHost(&d)
		inv, err := Take(t.Context(), h.sources())
		if err != nil {
			t.Fatal(err)
		}
		checkRows(t, h, inv)
		checkContainers(t, h, inv)
	})
}

func checkRows(t *testing.T, h *host, inv Inventory) {
	rows, named := map[*Row]int{}, 0
	for _, s := range inv.Sandboxes {
		if s.Row != nil {
			rows[s.Row]++
		}
		if s.Listed {
			named++
		}
		if s.Standing == "" || (s.Route == NoRoute) != (s.Standing != Ready && s.Standing != Stopped) {
			t.Errorf("%q stands %q with route %q", s.Name, s.Standing, s.Route)
		}
		if s.Standing == Orphaned && (s.Listed || s.Container != nil || s.Row == nil || s.Row.BindingErr != nil) {
			t.Errorf("%q is no orphan: %+v", s.Name, s)
		}
	}
	for i := range h.rows {
		if rows[&h.rows[i]] != 1 {
			t.Errorf("row %q appears %d times", h.rows[i].Name, rows[&h.rows[i]])
		}
	}
	listed := 0
	for _, gw := range (Sources{Registry: Registry{Rows: h.rows}, Gateway: h.gateway}).gateways() {
		listed += len(h.lists[gw])
	}
	if hidden := len(h.elsewhere); len(h.calls) > 1 && (named > listed || named < listed-hidden) {
		t.Errorf("%d of %d listed sandboxes are in the inventory", named, listed)
	}
}

func checkContainers(t *testing.T, h *host, inv Inventory) {
	homes, rivals := map[string]int{}, map[string]bool{}
	for _, s := range inv.Sandboxes {
		if s.Container != nil {
			homes[s.Container.ID]++
		}
		for _, c := range s.Rivals {
			rivals[c.ID] = true
		}
	}
	for _, c := range h.engine {
		spoken := strings.Contains(strings.Join(inv.Warnings, "\n"), fmt.Sprintf("%q", c.Name))
		if homes[c.ID] > 1 || (homes[c.ID] == 1 && rivals[c.ID]) {
			t.Errorf("container %s is the home of %d sandboxes, rival: %v", c.ID, homes[c.ID], rivals[c.ID])
		}
		if homes[c.ID] == 0 && !rivals[c.ID] && !spoken && !claimedElsewhere(h, c) {
			t.Errorf("container %s (%q) is lost: %+v", c.ID, c.SandboxName, inv)
		}
	}
}

func claimedElsewhere(h *host, c engine.Container) bool {
	for _, r := range h.elsewhere {
		if r.Name == c.SandboxName {
			return true
		}
		for _, s := range h.lists[r.Gateway] {
			if s.Name == r.Name && s.ID != "" && s.ID == c.SandboxID {
				return true
			}
		}
	}
	return false
}
