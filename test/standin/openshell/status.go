package openshell

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sandkeeper/test/e2e/gateway"
)

// gatewayName is the gateway that a call is about; "" when there is none.
func (c *call) gatewayName() string {
	if name := c.words.flags["gateway"]; name != "" {
		return name
	}
	if name := variable(c.env, "OPENSHELL_GATEWAY"); name != "" {
		return name
	}
	for _, g := range c.script.Gateways {
		if g.Active {
			return g.Name
		}
	}
	return ""
}

func (c *call) known(name string) (Gateway, bool) {
	for _, g := range c.script.Gateways {
		if g.Name == name {
			return g, true
		}
	}
	return Gateway{}, false
}

// selected is the gateway that a state call talks to; the error is that of a name that leads nowhere.
func (c *call) selected() (Gateway, error) {
	name := c.gatewayName()
	g, known := c.known(name)
	advice := []string{"Register it first: openshell gateway add <endpoint> --name ", "Or register one with: openshell gateway add <endpoint>"}
	if !c.since(37) {
		advice = []string{"Deploy it first: openshell gateway start --name ", "Or deploy a new gateway: openshell gateway start"}
	}
	switch {
	case known:
		return c.asked(g), nil
	case name == "":
		return g, failure("No active gateway.\nSet one with: openshell gateway select <name>\n" + advice[1])
	default:
		return g, failure("Unknown gateway '" + name + "'.\n" + advice[0] + name + "\nOr list available gateways: openshell gateway select")
	}
}

// asked fills in what only a live gateway itself can say.
func (c *call) asked(g Gateway) Gateway {
	if g.Version == "" {
		g.Version = c.script.Version
	}
	if g.Live {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		version, err := gateway.Health(ctx, strings.TrimPrefix(g.Endpoint, "http://"))
		g.Version, g.Down = version, err != nil
	}
	return g
}

func (c *call) status() error {
	asJSON, err := c.wantsJSON()
	if err != nil {
		return err
	}
	if c.gatewayName() == "" {
		return c.noStatus(asJSON)
	}
	g, err := c.selected()
	if err != nil {
		return err
	}
	if g.Down && c.since(92) {
		return failure("client error (Connect)", "tcp connect error", "Connection refused (os error 111)")
	}
	if asJSON {
		return c.json(c.statusJSON(g))
	}
	c.heading("Server Status")
	c.field("Gateway", g.Name)
	c.field("Server", g.Endpoint)
	if g.Down {
		return failure("client error (Connect)", "tcp connect error", "Connection refused (os error 111)")
	}
	c.statusText(g)
	return nil
}

func (c *call) statusText(g Gateway) {
	switch g.Status {
	case "error":
		c.field("Status", red("Error"))
		c.field("Error", g.Detail)
		return
	case "disconnected":
		c.field("Status", red("Disconnected"))
		c.field("Error", g.Detail)
		return
	}

	c.field("Status", green("Connected"))
	if c.since(92) {
		c.field("Authentication", green("Not required")+" (gateway)")
	}
	c.field("Version", g.Version)
}

func (c *call) statusJSON(g Gateway) map[string]any {
	answer := map[string]any{"gateway": g.Name, "server": g.Endpoint, "status": "connected"}
	if g.Status == "error" || g.Status == "disconnected" {
		answer["status"], answer["error"] = g.Status, g.Detail
		return answer
	}
	answer["version"] = g.Version
	answer["authentication"] = map[string]any{"mode": "gateway", "status": "not_required"}
	return answer
}

func (c *call) noStatus(asJSON bool) error {
	if asJSON {
		return c.json(map[string]any{"status": "not_configured"})
	}
	advice := "Register a gateway with: " + dim("openshell gateway add <endpoint>")
	if !c.since(37) {
		advice = "Deploy a gateway with: " + dim("openshell gateway start")
	}
	c.heading("Gateway Status")
	c.field("Status", "No gateway configured.")
	_, err := fmt.Fprintf(c.out, "\n%s\n", advice)
	return err
}
