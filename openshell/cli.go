package openshell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sandkeeper/drift"
	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
)

// CLI is an openshell executable to be asked. It keeps no state between calls.
type CLI struct {
	Path    string // absolute and judged safe to execute, as Resolve returns it
	Env     env.Env
	UID     int           // our effective user id
	Known   drift.Version // its version, where the caller knows it: what it would refuse is then not asked
	Timeout time.Duration // of one call; 0 is command.DefaultTimeout
	// Run runs the program; nil is command.Run.
	Run func(context.Context, command.Command) (command.Result, error)
}

// Version is what `openshell --version` prints. Output that does not name openshell is not an answer.
func (c *CLI) Version(ctx context.Context) (drift.Version, error) {
	result, err := c.call(ctx, "", "--version")
	if err != nil {
		return drift.Version{}, fmt.Errorf("asking %s for its version: %w", c.Path, err)
	}
	version, ok := drift.ToolVersion(result.Combined(), "openshell")
	if !ok {
		return drift.Version{}, fmt.Errorf("%s --version did not name an openshell version: %q", c.Path, text.OneLine(result.Combined(), 120))
	}
	return version, nil
}

// Has reports whether this CLI knows the command, for instance "sandbox", "stop", by its help. Guidance names no
// others.
func (c *CLI) Has(ctx context.Context, words ...string) bool {
	result, err := c.call(ctx, "", append(words[:len(words):len(words)], "--help")...)
	if err != nil || result.Exit != 0 || len(words) == 0 {
		return false
	}
	help := squeeze(result.Combined())
	return strings.Contains(help, "usage:") && strings.Contains(help, squeeze(strings.Join(words, "")))
}

// may reports whether the CLI may understand what came with 0.0.patch: by its version, or because that is not known.
func (c *CLI) may(patch uint64) bool {
	_, _, known := c.Known.Numbers()
	return !c.Known.Known() || c.Known.Stable() || known >= patch
}

// call runs the CLI for the named gateway ("" is whichever is active): no standard input, plain unwrapped error texts
// (docs/facts/openshell.md 2.1), and nothing in the environment that would redirect it to another gateway.
func (c *CLI) call(ctx context.Context, gateway string, args ...string) (command.Result, error) {
	return c.run(ctx, c.command(gateway, args...))
}

func (c *CLI) command(gateway string, args ...string) command.Command {
	e := c.Env
	if gateway != "" {
		e = e.Without("OPENSHELL_GATEWAY", "OPENSHELL_GATEWAY_ENDPOINT")
		args = append(args[:len(args):len(args)], "-g", gateway)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = command.DefaultTimeout
	}
	return command.Command{Path: c.Path, Args: args, Env: e.Child("NO_GRAPHICS=1", "NO_COLOR=1"), Timeout: timeout}
}

func (c *CLI) run(ctx context.Context, cmd command.Command) (command.Result, error) {
	if c.Run != nil {
		return c.Run(ctx, cmd)
	}
	return command.Run(ctx, cmd)
}

// ask makes a state call and judges the answer before anyone reads it: *MismatchError for a decode failure whatever the
// exit status, errRefused when this CLI does not know the arguments, *ListingError for every other failure.
func (c *CLI) ask(ctx context.Context, op, gateway string, args ...string) (command.Result, error) {
	result, err := c.call(ctx, gateway, append(strings.Fields(op), args...)...)
	written := result.Combined()
	if DecodeFailure(written) {
		return result, &MismatchError{Gateway: gateway, Op: op, Output: text.OneLine(written, 0)}
	}
	failure := &ListingError{Gateway: gateway, Op: op, Output: text.OneLine(written, 0), Exit: result.Exit, Err: err}
	switch {
	case err != nil:
		failure.TimedOut = result.TimedOut || errors.Is(err, context.DeadlineExceeded)
		return result, failure
	case result.Truncated:
		failure.Output, failure.Err = "", fmt.Errorf("printed more than %d bytes", command.OutputLimit)
		return result, failure
	case refused(result):
		failure.Err = errRefused
		return result, failure
	case result.Exit != 0:
		failure.NotRegistered = contains(written, notRegisteredWordings)
		failure.Unreachable = !failure.NotRegistered && contains(written, unreachableWordings)
		return result, failure
	}

	return result, nil
}

// askEither asks for JSON, which a CLI of 0.0.since or newer gives, and for text where the CLI knows no -o. One whose
// version is not known is asked for both at once, so that it takes as long as one answer; what is not needed is ended.
func (c *CLI) askEither(ctx context.Context, op, gateway string, since uint64) (command.Result, error) {
	if !c.may(since) {
		return c.ask(ctx, op, gateway)
	}
	if c.Known.Known() {
		return c.ask(ctx, op, gateway, "-o", "json")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var plain command.Result
	var plainErr error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		plain, plainErr = c.ask(ctx, op, gateway)
	}()
	result, err := c.ask(ctx, op, gateway, "-o", "json")
	if !errors.Is(err, errRefused) {
		cancel()
		<-answered
		return result, err
	}

	<-answered
	return plain, plainErr
}

// unreadable is the answer that came but cannot be read.
func unreadable(op, gateway string, result command.Result, why error) error {
	return &ListingError{Gateway: gateway, Op: op, Output: text.OneLine(result.Combined(), 0), Exit: result.Exit, Err: why}
}
