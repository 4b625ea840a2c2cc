package cmd

import (
	"github.com/spf13/cobra"
)

const gatewayLong = `Look at one gateway. "status" shows each piece of evidence about it side by side; "wait" waits until it can be used.
Neither changes anything.`

func newGateway(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "gateway", Short: "Show the gateway, or wait until it can be used", Long: gatewayLong, Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newGatewayStatus(a, nil), newGatewayWait(a, nil))
	return c
}
