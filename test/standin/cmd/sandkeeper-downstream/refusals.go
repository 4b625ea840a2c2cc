package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sandkeeper/lifecycle"
)

// alwaysRefuses lets no sandbox be created, neither a new one nor the old one on its way back.
func alwaysRefuses() lifecycle.Definition {
	return lifecycle.Define("always-refuses", "refuses every creation", nil, func(struct{}) (lifecycle.Extension, error) {
		return refusing{refuse: func() error { return errors.New("the door is closed") }}, nil
	})
}

type onceConfig struct {
	Marker string `toml:"marker"` // a file that is made by the one refusal
}

// refusesOnce refuses the first creation, as an outage that ends, and lets the others pass.
func refusesOnce() lifecycle.Definition {
	return lifecycle.Define("refuses-once", "refuses one creation", nil, func(c onceConfig) (lifecycle.Extension, error) {
		if c.Marker == "" {
			return nil, lifecycle.BadValue("marker", "it needs the path of a file to make")
		}
		return refusing{refuse: func() error { return markOnce(c.Marker) }}, nil
	})
}

func markOnce(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("marker: %w", err)
	}
	return errors.Join(errors.New("the door is closed for once"), file.Close())
}

// refusing holds nothing for a sandbox, so that it has nothing to undo, release or compare.
type refusing struct {
	lifecycle.Defaults
	refuse func() error
}

// BeforeCreate asks refuse.
func (r refusing) BeforeCreate(context.Context, lifecycle.Sandbox, *lifecycle.Builder) (*lifecycle.State, error) {
	return nil, r.refuse()
}

// AfterCreateFailed has nothing to undo.
func (refusing) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// AfterDelete has nothing to release.
func (refusing) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// Reconcile lets go of a sandbox that is gone.
func (refusing) Reconcile(_ context.Context, s lifecycle.Sandbox, _ *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	if s.Presence == lifecycle.Missing {
		return lifecycle.ReconcileOutcome{Authority: lifecycle.Authoritative}, nil
	}
	return lifecycle.ReconcileOutcome{}, nil
}
