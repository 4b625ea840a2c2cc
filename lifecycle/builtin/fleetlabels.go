package builtin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sandkeeper/internal/pattern"
	"sandkeeper/lifecycle"
)

// fleetSchema is the version of the state of fleet-labels: the labels it set, as a JSON object.
const fleetSchema = 1

// Label keys and values by the rules of Kubernetes, the strictest of OpenShell's drivers
// (kubernetes.io/docs/concepts/overview/working-with-objects/labels). The lengths are not in the patterns: counting
// ones cost every start of the program half a millisecond.
var (
	labelName   = pattern.Of(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
	labelPrefix = pattern.Of(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

const (
	maxLabelName   = 63
	maxLabelPrefix = 253
)

func validLabel(text string) bool { return len(text) <= maxLabelName && labelName().MatchString(text) }

func validPrefix(text string) bool {
	return len(text) <= maxLabelPrefix && labelPrefix().MatchString(text)
}

// FleetLabels sets the configured labels on every sandbox:
//
//	[compute.extension."fleet-labels"]
//	labels = { fleet = "prod", region = "us-west" }
func FleetLabels() lifecycle.Definition {
	return lifecycle.Define("fleet-labels", "sets the same labels on every sandbox", []uint32{fleetSchema}, newFleetLabels)
}

type fleetConfig struct {
	Labels map[string]string `toml:"labels"`
}

type fleetLabels struct {
	lifecycle.Defaults
	labels map[string]string
}

func newFleetLabels(config fleetConfig) (lifecycle.Extension, error) {
	if len(config.Labels) == 0 {
		return nil, lifecycle.BadValue("labels", "at least one label is needed, such as labels = { fleet = \"prod\" }")
	}
	for _, key := range slices.Sorted(maps.Keys(config.Labels)) {
		if err := checkLabel(key, config.Labels[key]); err != nil {
			return nil, lifecycle.BadValue("labels", "%w", err)
		}
	}
	return &fleetLabels{labels: maps.Clone(config.Labels)}, nil
}

func checkLabel(key, value string) error {
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		prefix, name = "", key
	}
	if !validLabel(name) || prefixed && !validPrefix(prefix) {
		return fmt.Errorf("%q is not a label key", key)
	}
	if prefix == "openshell.ai" {
		return fmt.Errorf("%q belongs to the gateway", key)
	}
	if value != "" && !validLabel(value) {
		return fmt.Errorf("%q of %q is not a label value", value, key)
	}
	return nil
}

// BeforeCreate adds the labels and remembers them.
func (f *fleetLabels) BeforeCreate(_ context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	for _, key := range slices.Sorted(maps.Keys(f.labels)) {
		if err := add.AddLabel(key, f.labels[key]); err != nil {
			return nil, err
		}
	}
	return lifecycle.NewState(fleetSchema, f.labels)
}

// AfterCreateFailed has nothing to undo: labels live and die with the sandbox.
func (*fleetLabels) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// AfterDelete has nothing to release.
func (*fleetLabels) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// Reconcile reports labels that the sandbox has lost, and labels that the configuration has changed since. Advisory
// where the sandbox exists: labels cannot be put on it without recreating it. Where it is gone nothing is held for it,
// so its state may go.
func (f *fleetLabels) Reconcile(_ context.Context, sandbox lifecycle.Sandbox, state *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	if sandbox.Presence == lifecycle.Missing {
		return lifecycle.ReconcileOutcome{Authority: lifecycle.Authoritative}, nil
	}
	var set map[string]string
	if state != nil {
		if err := state.Decode(&set); err != nil {
			return lifecycle.ReconcileOutcome{}, fmt.Errorf("its state is not a set of labels: %w", err)
		}
	}
	return lifecycle.ReconcileOutcome{Drift: append(lost(set, sandbox.Labels), changed(f.labels, set)...)}, nil
}

func lost(set, listed map[string]string) (drift []string) {
	if listed == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if value, ok := listed[key]; !ok || value != set[key] {
			drift = append(drift, fmt.Sprintf("label %q was set to %q and is %q", key, set[key], value))
		}
	}
	return drift
}

func changed(configured, set map[string]string) (drift []string) {
	for _, key := range slices.Sorted(maps.Keys(configured)) {
		if value, ok := set[key]; !ok || value != configured[key] {
			drift = append(drift, fmt.Sprintf("label %q is configured as %q since; the sandbox gets it when it is next recreated", key, configured[key]))
		}
	}
	return drift
}
