package openshell

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"sandkeeper/test/e2e/gateway"
)

// listed is the sandboxes of g in the real order: by creation, then name.
func (c *call) listed(g Gateway) []Sandbox {
	var listed []Sandbox
	for _, s := range c.script.Sandboxes {
		if (s.Gateway == "" || s.Gateway == g.Name) && c.within(g, s) {
			s.Phase = c.phase(g, s)
			listed = append(listed, s)
		}
	}

	slices.SortStableFunc(listed, func(a, b Sandbox) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	return listed
}

// within reports whether a call is about the workspace of s: the one that it names, else that of its environment, else
// the default.
func (c *call) within(g Gateway, s Sandbox) bool {
	if _, all := c.words.flags["all-workspaces"]; all || !c.since(88) || workspace(g, s) == "" {
		return true
	}
	return workspace(g, s) == cmp.Or(c.words.flags["workspace"], variable(c.env, "OPENSHELL_WORKSPACE"), "default")
}

func (c *call) sandboxList() error {
	asJSON, err := c.wantsJSON()
	if err != nil {
		return err
	}
	g, err := c.reached()
	if err != nil {
		return err
	}
	all := c.listed(g)
	if err := c.mismatch(g, "ListSandboxesRequest", "ListSandboxesResponse.sandboxes"); err != nil && (len(all) > 0 || asked(err)) {
		return err
	}
	paging := c.paging()
	limit := min(c.words.number(paging[0], 100), 1000)
	start := min(c.words.number(paging[1], 0), len(all))
	end := min(start+limit, len(all))
	page := all[start:end]
	_, names := c.words.flags["names"]
	_, ids := c.words.flags["ids"]
	switch {
	case asJSON:
		return c.json(c.listJSON(g, page, end, len(all)))
	case names || ids:
		for _, s := range page {
			fmt.Fprintln(c.out, map[bool]string{true: c.address(g, s), false: s.ID}[names])
		}
	case len(page) == 0:
		fmt.Fprintln(c.out, "No sandboxes found.")
	default:
		c.table(g, page)
	}

	return nil
}

// address is a sandbox's name, with its workspace where all are listed.
func (c *call) address(g Gateway, s Sandbox) string {
	if _, all := c.words.flags["all-workspaces"]; all {
		return workspace(g, s) + "/" + s.Name
	}
	return s.Name
}

// asked reports whether a mismatch is about the request: then it comes whether or not there are sandboxes.
func asked(err error) bool {
	return !slices.Contains([]string{"Sandbox.id", "Sandbox.metadata"}, culprit(err.Error()))
}

func (c *call) table(g Gateway, page []Sandbox) {
	rows := [][]string{{"NAME", "NAMESPACE", "CREATED", "PHASE"}}
	for _, s := range page {
		rows = append(rows, []string{s.Name, "openshell", created(s), s.Phase})
	}
	if c.since(37) {
		for i, row := range rows {
			rows[i] = []string{row[0], row[2], row[3]}
		}
	}

	if _, all := c.words.flags["all-workspaces"]; all {
		for i, row := range rows {
			first := "WORKSPACE"
			if i > 0 {
				first = workspace(g, page[i-1])
			}
			rows[i] = append([]string{first}, row...)
		}
	}

	for i, row := range columns(rows) {
		if i == 0 {
			fmt.Fprintln(c.out, header(row))
			continue
		}
		for _, cell := range row[:len(row)-1] {
			fmt.Fprint(c.out, cell, "  ")
		}
		fmt.Fprintln(c.out, coloured(row[len(row)-1]))
	}
}

func coloured(phase string) string {
	switch phase {
	case "Ready":
		return green(phase)
	case "Provisioning":
		return yellow(phase)
	case "Error":
		return red(phase)
	case "Deleting":
		return dim(phase)
	default:
		return phase
	}
}

func created(s Sandbox) string {
	if s.Created.IsZero() {
		return "-"
	}
	return s.Created.UTC().Format("2006-01-02 15:04:05")
}

// listJSON is an array until 0.1.0, then an object that keeps the token of the next page (docs/facts/openshell.md 2.3).
func (c *call) listJSON(g Gateway, page []Sandbox, end, total int) any {
	items := []any{}
	for _, s := range page {
		items = append(items, c.item(g, s))
	}
	if gateway.GenerationOf(c.script.Version) < gateway.Timestamps {
		return items
	}
	token := ""
	if end < total {
		token = strconv.Itoa(end)
	}
	return map[string]any{"sandboxes": items, "next_page_token": token}
}

func (c *call) item(g Gateway, s Sandbox) map[string]any {
	labels := s.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	item := map[string]any{
		"id": s.ID, "name": s.Name, "labels": labels, "resource_version": 1, "created_at": created(s),
		"phase": s.Phase, "current_policy_version": 1,
	}
	if !gateway.Since(g.Version, 44) {
		item["resource_version"] = 0
	}
	if s.Phase == "Unspecified" {
		item["current_policy_version"] = 0
	}
	if c.since(84) {
		item["annotations"] = map[string]string{}
	}
	if c.since(88) {
		item["workspace"] = workspace(g, s)
	}
	if gateway.GenerationOf(c.script.Version) == gateway.Timestamps {
		item["conditions"] = s.conditions()
	}
	return item
}

// conditions are shown since 0.1.0 (docs/facts/openshell-0.1.md 3.2).
func (s Sandbox) conditions() []map[string]string {
	ready := map[string]string{"type": "Ready", "status": "True", "reason": "BackendReady", "message": "", "last_transition_time": created(s)}
	if s.Phase != "Ready" {
		ready["status"], ready["reason"], ready["message"] = "False", s.Reason, s.Message
	}
	return []map[string]string{ready}
}

// workspace is empty from gateways that have none.
func workspace(g Gateway, s Sandbox) string {
	if !gateway.Since(g.Version, 88) {
		return ""
	}
	if s.Workspace == "" {
		return "default"
	}
	return s.Workspace
}
