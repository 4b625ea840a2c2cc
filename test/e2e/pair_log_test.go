package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// companionsAlone follows the engine's log until the test ends, and fails it when somebody reads, pauses, stops or enters a companion with
// that label. A gateway makes, kills and removes its own.
func companionsAlone(t *testing.T, e *engine, label string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, failed := e.client.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("label", label))})
	var log []events.Message
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case m := <-said:
				log = append(log, m)
			case <-failed:
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		following.Wait()
		seen, health := 0, map[string]bool{}
		for _, m := range log {
			if m.Actor.Attributes["openshell.ai/isolation-role"] != "supervisor" {
				continue
			}
			seen++
			if !harmless(m, health) {
				t.Errorf("companion %s: %s", m.Actor.Attributes["name"], m.Action)
			}
		}
		if seen == 0 {
			t.Errorf("the engine's log says nothing of any companion, among %d lines", len(log))
		}
	})
}

// harmless reports whether a line of the engine's log is of what a gateway does to its companions, or of the engine's own look at their
// health; health are the commands that were for that.
func harmless(m events.Message, health map[string]bool) bool {
	action, command, _ := strings.Cut(string(m.Action), ":")
	run := m.Actor.Attributes["execID"]
	if strings.HasPrefix(action, "exec_") {
		health[run] = health[run] || strings.HasPrefix(command, " /openshell-supervisor health ")
		return health[run]
	}
	return slices.Contains([]string{
		"create", "start", "attach", "kill", "die", "destroy", "health_status",
		"init", "cleanup", "died", "remove", // Podman's words
	}, action)
}
