package wire

import "google.golang.org/protobuf/encoding/protowire"

// DefaultWorkspace is the workspace that a gateway takes when none is named; before 0.0.88 it is the only one.
const DefaultWorkspace = "default"

// Page says which part of a listing is asked for: by offset, since 0.1.0 by the token of the page before.
type Page struct {
	Size   int
	Offset int
	Token  string
}

// ListSandboxes is the request for one page of sandboxes.
func (v Version) ListSandboxes(p Page, workspace string) []byte {
	return v.list(p, listWorkspace, workspace)
}

// ListEverywhere is the request for one page of the sandboxes of all workspaces, of a gateway that has them.
func (v Version) ListEverywhere(p Page) []byte {
	b := v.page(p)
	if v.Generation != Timestamps {
		b.number(listEverywhere, 1)
		return b
	}
	var s builder
	s.embed(selectorEverywhere, nil)
	b.embed(listWorkspace, s)
	return b
}

// ListProviders is the request for one page of providers.
func (v Version) ListProviders(p Page, workspace string) []byte {
	return v.list(p, providersWorkspace, workspace)
}

func (v Version) list(p Page, at protowire.Number, workspace string) []byte {
	b := v.page(p)
	v.scope(&b, at, at, workspace)
	return b
}

func (v Version) page(p Page) (b builder) {
	b.number(listLimit, uint64(p.Size))
	if v.Generation == Timestamps {
		b.text(listOffset, p.Token)
	} else {
		b.number(listOffset, uint64(p.Offset))
	}
	return b
}

// Named is the request of GetSandbox, DeleteSandbox, StopSandbox and StartSandbox. The idempotency key of 0.1.x is left
// empty: it is subject to an admission limit (docs/facts/openshell.md 3.3).
func (v Version) Named(name, workspace string) []byte {
	var b builder
	b.text(nameName, name)
	v.scope(&b, nameWorkspace, nameWorkspace, workspace)
	return b
}

// CreateWorkspace is the request for a new workspace.
func (v Version) CreateWorkspace(name string) []byte {
	var b builder
	b.text(nameName, name)
	return b
}

// Creation is what CreateSandbox is asked for.
type Creation struct {
	Name, Workspace     string
	Labels, Annotations map[string]string
	Spec                []byte // SandboxSpec
}

// CreateSandbox is the request for a new sandbox. An *InexpressibleError says what the gateway is too old to be told.
func (v Version) CreateSandbox(c Creation) ([]byte, error) {
	switch {
	case len(c.Labels) > 0 && !v.Since(37):
		return nil, v.cannot("labels", "0.0.37")
	case len(c.Annotations) > 0 && !v.Since(84):
		return nil, v.cannot("annotations", "0.0.84")
	case !v.workspaces() && c.Workspace != "" && c.Workspace != DefaultWorkspace:
		return nil, v.cannot("workspace "+c.Workspace, "0.0.88")
	}

	var b builder
	b.embed(createSpec, c.Spec)
	b.text(createName, c.Name)
	b.pairs(createLabels, c.Labels)
	b.pairs(createAnnotations, c.Annotations)
	v.scope(&b, createWorkspace, createScope, c.Workspace)
	return b, nil
}

func (v Version) workspaces() bool { return v.Since(88) }

// scope adds the workspace: as a selector since 0.1.0, which knows no default, else by its name where it is not the
// default.
func (v Version) scope(b *builder, text, selector protowire.Number, workspace string) {
	switch {
	case v.Generation == Timestamps:
		if workspace == "" {
			workspace = DefaultWorkspace
		}
		var s builder
		s.text(selectorWorkspace, workspace)
		b.embed(selector, s)
	case (v.workspaces() || v.Generation == Unknown) && workspace != DefaultWorkspace:
		b.text(text, workspace)
	}
}
