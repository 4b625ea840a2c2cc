package cmd

import (
	"github.com/spf13/cobra"
)

const gatewayLong = `Look at one gateway: every piece of evidence side by side (status), or wait until it can be used (wait). Neither changes anything.`

func newGateway(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "gateway", Short: "Show or await the gateway", Long: gatewayLong, Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newGatewayStatus(a, nil), newGatewayWait(a, nil))
	return c
}
