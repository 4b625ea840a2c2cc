package openshell

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"sandkeeper/internal/command"
)

const listOp = "sandbox list"

const (
	// pageSize keeps one answer below the 4 MiB that gRPC clients accept: each row carries its policy
	// (docs/facts/openshell.md 3).
	pageSize = 100
	// hugePage is the most that any server gives at once (docs/facts/openshell.md 2.3).
	hugePage = 1000
	// sandboxLimit is where we stop believing that a listing will ever end.
	sandboxLimit = 100_000
)

// Sandboxes lists every sandbox of the named gateway, all workspaces and all pages of it. An answer that failed, timed
// out, was cut off or cannot be read is a *MismatchError or *ListingError; an empty list is returned only when the CLI
// says that there is none. A user who may not list all workspaces gets their own.
func (c *CLI) Sandboxes(ctx context.Context, gateway string) ([]ListedSandbox, error) {
	w := walk{cli: c, gateway: gateway, speak: c.dialect(), found: []ListedSandbox{}, seen: map[string]bool{}}
	for {
		more, err := w.step(ctx)
		if err != nil {
			return nil, err
		}
		if !more {
			return w.found, nil
		}
		if len(w.found) > sandboxLimit {
			return nil, unreadable(listOp, gateway, command.Result{}, fmt.Errorf("the list did not end after %d sandboxes", len(w.found)))
		}
	}
}

// walk is one listing in progress.
type walk struct {
	cli     *CLI
	gateway string
	speak   dialect
	token   string // opaque mark of the next page (0.1.x)
	found   []ListedSandbox
	seen    map[string]bool
}

// step reads one page and reports whether there may be another.
func (w *walk) step(ctx context.Context) (more bool, err error) {
	page, result, err := w.page(ctx)
	if err != nil {
		return false, err
	}
	fresh := w.keep(page.rows)
	full := len(page.rows) >= w.speak.size
	switch {
	case page.next != "":
		if page.next == w.token {
			return false, unreadable(listOp, w.gateway, result, errors.New("the list gives the same page mark again and again"))
		}
		w.speak.paging, w.token = byToken, page.next
		return true, nil
	case w.speak.paging == byToken && w.speak.json:
		return false, nil
	case w.speak.paging != byOffset:
		if full {
			return false, unreadable(listOp, w.gateway, result, fmt.Errorf("%d sandboxes and no way to ask for more", len(page.rows)))
		}
		return false, nil
	case len(page.rows) != w.speak.size:
		// Shorter: the last page. Longer: a server that knows no limit gave everything.
		return false, nil
	case fresh == 0:
		return w.enlarge(result)
	}

	return true, nil
}

// enlarge meets a server that ignores the offset: one page as large as it can be must then hold everything.
func (w *walk) enlarge(result command.Result) (bool, error) {
	if w.speak.size == hugePage {
		return false, unreadable(listOp, w.gateway, result, errors.New("the list repeats its first page, so it cannot be read to its end"))
	}
	w.speak.size = hugePage
	return true, nil
}

// keep adds the rows not seen yet and says how many those are.
func (w *walk) keep(rows []ListedSandbox) (fresh int) {
	for _, row := range rows {
		key := row.ID
		if key == "" {
			key = row.Workspace + "/" + row.Name
		}
		if w.seen[key] {
			continue
		}
		w.seen[key] = true
		w.found = append(w.found, row)
		fresh++
	}
	return fresh
}

// page asks for the next page in the newest dialect that this CLI has not refused.
func (w *walk) page(ctx context.Context) (listing, command.Result, error) {
	for {
		result, err := w.cli.ask(ctx, listOp, w.gateway, w.speak.args(len(w.found), w.token)...)
		if err != nil && w.speak.all && (contains(result.Combined(), forbiddenWordings) || contains(result.Combined(), askedWrongly)) {
			w.speak.all = false
			continue
		}
		if errors.Is(err, errRefused) {
			if older, ok := w.speak.without(refusedArgument(result)); ok {
				w.speak = older
				continue
			}
		}

		if err != nil {
			return listing{}, result, err
		}
		page, err := parseSandboxes(string(result.Stdout))
		if err != nil {
			return listing{}, result, unreadable(listOp, w.gateway, result, err)
		}
		return page, result, nil
	}
}

// paging is how a generation asks for a page.
type paging int

const (
	byOffset paging = iota // --limit, --offset: 0.0.x
	byToken                // --page-size, --page-token: 0.1.x
	byNothing
)

// dialect is the set of arguments that one generation of the CLI understands. Where the version does not tell it, each
// listing finds it out anew.
type dialect struct {
	all    bool // --all-workspaces
	json   bool
	paging paging
	size   int
}

// dialect is what the CLI understands by its version, the newest where that is not known (docs/facts/openshell.md 2.3).
func (c *CLI) dialect() dialect {
	d := dialect{all: c.may(88), json: c.may(44), size: pageSize}
	if c.Known.Stable() {
		d.paging = byToken
	}
	return d
}

func (d dialect) args(offset int, token string) []string {
	var args []string
	if d.json {
		args = append(args, "-o", "json")
	}
	if d.all {
		args = append(args, "--all-workspaces")
	}
	size := strconv.Itoa(d.size)
	switch {
	case d.paging == byOffset && d.size == hugePage:
		args = append(args, "--limit", size, "--offset", "0")
	case d.paging == byOffset:
		args = append(args, "--limit", size, "--offset", strconv.Itoa(offset))
	case d.paging == byToken && token != "":
		args = append(args, "--page-size", size, "--page-token", token)
	case d.paging == byToken:
		args = append(args, "--page-size", size)
	}

	return args
}

// without is the dialect that does not use the refused argument; false when it is not one of ours to give up.
func (d dialect) without(argument string) (dialect, bool) {
	switch argument {
	case "-o", "--output":
		older := d
		older.json = false
		return older, d.json
	case "--all-workspaces":
		older := d
		older.all = false
		return older, d.all
	case "--limit", "--offset":
		d.paging = byToken
		return d, true
	case "--page-size", "--page-token":
		d.paging = byNothing
		return d, true
	}
	return d, false
}
