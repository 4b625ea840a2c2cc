package gateway

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/drift"
	"sandkeeper/openshell"
)

// servedAnswer is what the CLI said about the gateway, or why it said nothing.
type servedAnswer struct {
	openshell.Status
	err error
}

// from reports whether the answer is about the gateway called name. The name is compared whole: "nemoclaw" begins
// "nemoclaw-8091" too.
func (a servedAnswer) from(name string) bool { return a.err == nil && a.Gateway == name }

// silent reports an old CLI that ended well and printed nothing.
func (a servedAnswer) silent() bool {
	failure, ok := errors.AsType[*openshell.ListingError](a.err)
	return ok && failure.Exit == 0 && failure.Output == "" && !failure.TimedOut
}

func (o Options) askStatus(ctx context.Context, t Target, cli *openshell.CLI, err error) servedAnswer {
	if err != nil {
		return servedAnswer{err: fmt.Errorf("no openshell CLI to ask with: %w", err)}
	}
	status, err := cli.Status(ctx, t.Name)
	return servedAnswer{Status: status, err: err}
}

// servedEvidence is the gateway's own word about itself.
func servedEvidence(t Target, a servedAnswer) Served {
	s := Served{Status: a.Status.Status, Detail: a.Error, Err: a.err}
	s.Endpoint = a.Server
	if s.Endpoint == "" {
		s.Endpoint = t.Endpoint
	}
	s.Answered = a.Connected() && (a.Gateway == "" || a.from(t.Name))
	switch {
	case errors.Is(a.err, openshell.ErrNotFound):
		s.Detail = "no openshell CLI to ask with"
		s.Evidence = unknown("%s", s.Detail)
	case a.err != nil:
		s.Detail = clean(a.err)
		s.Evidence = unknown("%w", a.err)
	case a.Status.Status == "not_configured":
		s.Evidence = absent("the openshell CLI has no gateway %q", t.Name)
	case !a.Connected():
		s.Evidence = unknown("gateway %q did not answer: %s", t.Name, said(a))
	case !s.Answered:
		s.Evidence = unknown("gateway %q answered in place of %q", a.Gateway, t.Name)
	case a.Version == "":
		s.Evidence = unknown("gateway %q answered without its version", t.Name)
	default:
		version, _ := drift.Parse(a.Version)
		s.Evidence = drift.Evidence{State: drift.Known, Version: version}
	}

	return s
}

func said(a servedAnswer) string {
	word := a.Status.Status
	if word == "" {
		word = "its status cannot be read"
	}
	if a.Error != "" {
		word += ", " + a.Error
	}
	return word
}
