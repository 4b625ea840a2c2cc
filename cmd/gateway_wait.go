package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/gateway"
	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
)

type gatewayWaitOptions struct {
	app     *app
	timeout time.Duration
	settle  time.Duration
}

const gatewayWaitLong = `Wait until the gateway can be used. That is: it answers with its version, its port accepts a connection, and after
both its process is still alive. All of this must stay so for the time that --settle gives. A gateway that answers
once and then dies, because its database could not be migrated for instance, is therefore never called ready.

The wait ends at once when the process ends, and the last lines of its log are printed. Where the process cannot be
seen (on another host, or of another user) the answers alone decide, and the result says so. The exit code is 0 when
the gateway is ready, and 5 when it is not.`

func newGatewayWait(a *app, run func(context.Context, *gatewayWaitOptions) (*answer, error)) *cobra.Command {
	o := &gatewayWaitOptions{app: a}
	if run == nil {
		run = runGatewayWait
	}
	c := &cobra.Command{
		Use: "wait", Short: "Wait until the gateway is ready and stays so", Long: gatewayWaitLong,
		Example:     "  systemctl --user restart openshell-gateway && sandkeeper gateway wait --timeout 2m",
		Annotations: exits(ExitOK, ExitUsage, ExitUnreachable, ExitInterrupted),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.do(func(ctx context.Context) (*answer, error) {
			if !c.Flags().Changed("settle") { // a short wait is not refused for a default
				o.settle = min(o.settle, o.timeout/2)
			}
			return run(ctx, o)
		})(c, args)
	}
	c.Flags().DurationVar(&o.timeout, "timeout", gateway.DefaultWait, "how long to wait")
	c.Flags().DurationVar(&o.settle, "settle", gateway.DefaultSettle, "how long it must stay ready to count")
	return c
}

func runGatewayWait(ctx context.Context, o *gatewayWaitOptions) (*answer, error) {
	a := o.app
	if o.timeout <= 0 || o.settle < 0 || o.settle >= o.timeout {
		return nil, usage("give, for instance, --timeout 2m --settle 3s", "--timeout must be positive, and --settle shorter than it")
	}
	registry, err := a.registryIfThere()
	if err != nil {
		return nil, err
	}
	bindings := a.host.Bindings(registry)
	if len(bindings) > 1 {
		return nil, usage("name one with -g", "the registry's sandboxes are on %d gateways: %s", len(bindings), bindingNames(bindings))
	}
	r := gateway.Wait(ctx, gateway.Waiting{Options: a.host.Options(bindings[0]), Timeout: o.timeout, Settle: o.settle})
	if r.Err != nil {
		return nil, usage("give the gateway's name as openshell gateway list shows it", "%w", r.Err)
	}
	found := &answer{result: r, text: func(term *terminal) { renderReadiness(term, r) }}
	switch {
	case r.Ready:
		return found, nil
	case r.State == gateway.Interrupted:
		return found, context.Cause(ctx)
	}

	f := &Failure{Code: ExitUnreachable, Kind: kindUnreachable, Err: fmt.Errorf("gateway %q is not ready: %s", r.Gateway, r.Reason), Hint: waitHint(r)}
	if a.host.Gateway != "" && r.NotRegistered {
		f.Kind, f.Hint = kindNotRegistered, "openshell gateway list shows what is registered; "+offlineHint
	}
	return found, f
}

func bindingNames(bindings []sandbox.Binding) string {
	text := ""
	for i, b := range bindings {
		if i > 0 {
			text += ", "
		}
		if text += b.Gateway; b.Gateway == "" {
			text += fmt.Sprintf("that of port %d", b.Port)
		}
	}
	return text
}

func waitHint(r gateway.Readiness) string {
	if r.State == gateway.HasExited && len(r.Log) > 0 {
		return "sandkeeper diagnose " + r.LogPath + " explains its log; do not delete its database"
	}
	return "sandkeeper gateway status shows what is there; " + offlineHint
}

func renderReadiness(term *terminal, r gateway.Readiness) {
	for _, line := range r.Log {
		term.printf("log: %s", line)
	}
	if !r.Ready {
		return
	}
	term.printf("judged by %s", r.JudgedBy)
	term.printf("gateway %q at %s is ready: version %s, after %s", r.Gateway, orDash(r.Endpoint), r.Version, ui.Age(time.Duration(r.WaitedMs)*time.Millisecond))
}
