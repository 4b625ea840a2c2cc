package openshell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/text"
	"sandkeeper/openshell/wire"
)

const (
	apiPageSize = 100
	pagesLimit  = 10_000 // a gateway that never ends its list is broken
	listRounds  = 3      // how often a listing that changes under our hands is begun anew
)

var errMoving = errors.New("the list changed while it was read")

// RawSandbox is a sandbox as the API shows it.
type RawSandbox struct {
	ListedSandbox
	Annotations map[string]string
	Spec        []byte // SandboxSpec in wire form, with everything that we do not know
}

// Sandboxes returns every sandbox of the gateway, in its order. An incomplete listing is an error, never a short list.
func (a *API) Sandboxes(ctx context.Context) ([]RawSandbox, error) {
	var rows []RawSandbox
	err := a.probe(func(v wire.Version) (err error) {
		rows, err = a.sandboxes(ctx, v, func(p wire.Page) []byte { return v.ListSandboxes(p, a.workspace) })
		return err
	})
	return rows, err
}

// AllSandboxes returns the sandboxes of every workspace, or, from a gateway that shows us ours alone, those of the
// API's own: to see all takes an administrator of the platform (docs/facts/openshell.md 3.3).
func (a *API) AllSandboxes(ctx context.Context) ([]RawSandbox, error) {
	if !a.version.Since(88) {
		return a.Sandboxes(ctx)
	}
	rows, err := a.sandboxes(ctx, a.version, a.version.ListEverywhere)
	if refused, ok := errors.AsType[*CallError](err); ok && refused.Code == "PermissionDenied" {
		return a.Sandboxes(ctx)
	}
	return rows, err
}

func (a *API) sandboxes(ctx context.Context, v wire.Version, request func(wire.Page) []byte) (rows []RawSandbox, err error) {
	items, err := a.list("ListSandboxes", v, func(p wire.Page) (page, error) { return a.sandboxPage(ctx, v, request(p)) })
	for _, item := range items {
		rows = append(rows, item.sandbox)
	}
	return rows, err
}

// Providers returns the names of all providers.
func (a *API) Providers(ctx context.Context) ([]string, error) {
	var names []string
	err := a.probe(func(v wire.Version) error {
		items, err := a.list("ListProviders", v, func(p wire.Page) (page, error) { return a.providerPage(ctx, v, p) })
		names = nil
		for _, item := range items {
			names = append(names, item.key)
		}
		return err
	})
	return names, err
}

// item is one element of a listing.
type item struct {
	key     string // what tells it from the others
	sandbox RawSandbox
}

type page struct {
	items []item
	next  string // token; "" on the last page and before 0.1.0
}

func (a *API) sandboxPage(ctx context.Context, v wire.Version, request []byte) (page, error) {
	answer, err := a.read(ctx, "ListSandboxes", "", request)
	if err != nil {
		return page{}, err
	}
	rows, next, err := v.ReadSandboxes(answer)
	var items []item
	for _, row := range rows {
		items = append(items, item{key: row.ID, sandbox: rawSandbox(row)})
	}
	return page{items: items, next: next}, a.decoded("ListSandboxes", err)
}

func (a *API) providerPage(ctx context.Context, v wire.Version, p wire.Page) (page, error) {
	answer, err := a.read(ctx, "ListProviders", "", v.ListProviders(p, a.workspace))
	if err != nil {
		return page{}, err
	}
	names, next, err := v.ReadProviders(answer)
	return page{items: named(names), next: next}, a.decoded("ListProviders", err)
}

// list reads all pages. A list that changes meanwhile is read again.
func (a *API) list(op string, v wire.Version, get func(wire.Page) (page, error)) ([]item, error) {
	read := allByOffset
	if v.Generation == wire.Timestamps {
		read = allByToken
	}
	items, err := read(get)
	for round := 1; round < listRounds && errors.Is(err, errMoving); round++ {
		items, err = read(get)
	}
	if errors.Is(err, errMoving) {
		return nil, &CallError{Gateway: a.Gateway, Op: op, Code: "Aborted", Message: fmt.Sprintf("%v, %d times in a row", err, listRounds), Err: err}
	}
	if err != nil {
		return nil, err
	}
	return items, nil
}

// allByOffset reads pages that overlap by one: a sandbox that is deleted meanwhile moves all after it, and one of them
// would be missing without anybody noticing.
func allByOffset(get func(wire.Page) (page, error)) ([]item, error) {
	var all []item
	for range pagesLimit {
		offset := max(len(all)-1, 0)
		p, err := get(wire.Page{Size: apiPageSize, Offset: offset})
		if err != nil {
			return nil, err
		}
		if offset < len(all) {
			if len(p.items) == 0 || p.items[0].key != all[offset].key {
				return nil, errMoving
			}
			all = all[:offset]
		}

		before := len(all)
		all = append(all, p.items...)
		if len(all)-before < apiPageSize {
			return all, unique(all)
		}
	}
	return nil, errMoving
}

func allByToken(get func(wire.Page) (page, error)) ([]item, error) {
	var all []item
	token := ""
	for range pagesLimit {
		p, err := get(wire.Page{Size: apiPageSize, Token: token})
		if err != nil {
			return nil, err
		}
		all = append(all, p.items...)
		if p.next == "" {
			return all, unique(all)
		}
		if p.next == token {
			return nil, errMoving
		}
		token = p.next
	}
	return nil, errMoving
}

// unique refuses a listing that shows one thing twice: then another may be missing.
func unique(items []item) error {
	seen := make(map[string]bool, len(items))
	for _, i := range items {
		if seen[i.key] {
			return errMoving
		}
		seen[i.key] = true
	}
	return nil
}

func rawSandbox(s wire.SandboxMessage) RawSandbox {
	return RawSandbox{
		ListedSandbox: ListedSandbox{
			ID: s.ID, Name: s.Name, Workspace: s.Workspace, Labels: s.Labels, Phase: phaseName(s.Phase), CreatedAt: s.Created,
			Reason: text.OneLine(s.Reason, 0),
		},
		Annotations: s.Annotations, Spec: s.Spec,
	}
}

// phaseName is a SandboxPhase in the CLI's spelling (docs/facts/openshell.md 3.2); a number that we do not know is
// shown as such, and is neither Ready nor gone.
func phaseName(phase uint64) string {
	names := strings.Fields("Unspecified Provisioning Ready Error Deleting Unknown Stopping Stopped Starting Completed")
	if phase >= uint64(len(names)) {
		return fmt.Sprintf("Phase%d", phase)
	}
	return names[phase]
}
