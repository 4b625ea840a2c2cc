package openshell

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/test/e2e/gateway"
)

// culprit is the first field that a decode error names.
func culprit(text string) string {
	_, after, _ := strings.Cut(text, "Protobuf message: ")
	name, rest, _ := strings.Cut(after, ": ")
	if name == "ObjectMeta.annotations" {
		name, _, _ = strings.Cut(rest, ": ")
	}
	return name
}

// named is the sandbox that a call is about.
func (c *call) named(name, request string) (Gateway, Sandbox, error) {
	g, err := c.reached()
	if err != nil {
		return g, Sandbox{}, err
	}
	wrong := c.mismatch(g, request, "SandboxResponse.sandbox")
	if wrong != nil && asked(wrong) {
		return g, Sandbox{}, wrong
	}
	for _, s := range c.listed(g) {
		if s.Name == name {
			return g, s, wrong
		}
	}

	return g, Sandbox{}, c.grpc("NotFound", "sandbox not found")
}

func (c *call) operand() string {
	if name := c.words.flags["name"]; name != "" || len(c.words.operands) == 0 {
		return name
	}
	return c.words.operands[0]
}

func (c *call) sandboxGet() error {
	asJSON, err := c.wantsJSON()
	if err != nil {
		return err
	}
	g, s, err := c.named(c.operand(), "GetSandboxRequest")
	if err != nil {
		return err
	}
	if asJSON {
		item := c.item(g, s)
		item["policy_source"] = "sandbox"
		return c.json(item)
	}

	c.heading("Sandbox:")
	c.field("Id", s.ID)
	c.field("Name", s.Name)
	if !c.since(37) {
		c.field("Namespace", "openshell")
	}
	c.field("Phase", s.Phase)
	if c.since(44) {
		c.field("Resource version", fmt.Sprint(c.item(g, s)["resource_version"]))
	}
	c.labels(s)
	c.field("Policy source", "sandbox")
	return nil
}

func (c *call) labels(s Sandbox) {
	if !c.since(37) || len(s.Labels) == 0 {
		return
	}
	c.field("Labels", "")
	names := make([]string, 0, len(s.Labels))
	for name := range s.Labels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(c.out, "    %s: %s\n", name, s.Labels[name])
	}
}

// sandboxExec really runs the command, in the sandbox's folder. Like the real program it reads all of its input first.
func (c *call) sandboxExec() error {
	_, s, err := c.named(c.operand(), "GetSandboxRequest")
	if err != nil {
		return err
	}
	if s.Phase != "Ready" {
		return failure("sandbox '" + s.Name + "' is not ready (phase: " + s.Phase + "); wait for it to reach Ready state")
	}
	if s.Root == "" || len(c.words.rest) == 0 {
		return c.grpc("Unavailable", "supervisor relay failed: no supervisor session")
	}
	input, err := io.ReadAll(io.LimitReader(c.stdin, 4<<20))
	if err != nil {
		return err
	}
	argv := gateway.Rooted(s.Root, c.words.rest)
	child := exec.Command(argv[0], argv[1:]...)
	child.Dir = filepath.Join(s.Root, "sandbox")
	child.Stdin, child.Stdout, child.Stderr = strings.NewReader(string(input)), c.out, c.err
	err = child.Run()
	if remote, ok := errors.AsType[*exec.ExitError](err); ok {
		return exitStatus(remote.ExitCode())
	}
	return err
}

// sandboxDelete and sandboxPhase answer, and change nothing: the script is what there is.
func (c *call) sandboxDelete() error {
	for _, name := range c.words.operands {
		if _, _, err := c.named(name, "DeleteSandboxRequest"); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s Deleted sandbox %s\n", green("✓"), name)
	}
	return nil
}

func (c *call) sandboxPhase() error {
	g, err := c.reached()
	if err != nil {
		return err
	}
	if !gateway.Since(g.Version, 105) {
		return failure("code: 'Operation is not implemented or not supported'")
	}
	done := map[string]string{"sandbox stop": "Stopped", "sandbox start": "Started"}[c.words.command]
	_, s, err := c.named(c.operand(), done[:4]+"SandboxRequest")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s %s sandbox %s\n", green("✓"), done, s.Name)
	return err
}
