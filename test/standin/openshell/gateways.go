package openshell

import (
	"fmt"

	"sandkeeper/test/e2e/gateway"
)

// gatewayInfo prints the local registration until 0.0.84; since then it is a call to the gateway.
func (c *call) gatewayInfo() error {
	if c.since(85) {
		return c.gatewayCall()
	}
	name := c.gatewayName()
	if name == "" {
		name = "openshell"
	}
	g, known := c.known(name)
	if !known {
		advice := "Register it first: openshell gateway add <endpoint> --name "
		if !c.since(37) {
			advice = "Deploy a gateway first with: openshell gateway start --name "
		}
		return failure("No gateway metadata found for '" + name + "'.\n" + advice + name)
	}

	c.heading("Gateway Info")
	c.field("Gateway", g.Name)
	c.field("Gateway endpoint", g.Endpoint)
	return nil
}

func (c *call) gatewayCall() error {
	asJSON, err := c.wantsJSON()
	if err != nil {
		return err
	}
	if len(c.script.Gateways) == 0 {
		return failure("No gateway configured.\nRegister a gateway with: openshell gateway add <endpoint>")
	}
	g, err := c.reached()
	if err != nil {
		return err
	}
	if !gateway.Since(g.Version, 85) {
		return failure("gateway info is not supported by this gateway version")
	}
	if asJSON {
		return c.json(map[string]any{
			"gateway": g.Name, "server": g.Endpoint, "status": "healthy", "version": g.Version,
			"compute_drivers": []any{map[string]any{
				"name": "docker", "capabilities": map[string]any{"driver_name": "docker", "driver_version": g.Version},
			}},
		})
	}

	c.heading("Gateway Info")
	c.field("Gateway", g.Name)
	c.field("Server", g.Endpoint)
	c.field("Status", "healthy")
	c.field("Version", g.Version)
	fmt.Fprintf(c.out, "  %s\n    docker\n      %s %s\n", dim("Compute drivers:"), dim("Driver version:"), g.Version)
	return nil
}

func (c *call) gatewayList() error {
	asJSON, err := c.wantsJSON()
	if err != nil {
		return err
	}
	if asJSON {
		return c.json(c.gatewayItems())
	}
	if len(c.script.Gateways) == 0 {
		fmt.Fprintf(c.out, "No gateways found.\n\nRegister a gateway with: %s\n", dim("openshell gateway add <endpoint>"))
		return nil
	}
	rows := [][]string{{"NAME", "ENDPOINT", "TYPE", "SOURCE", "AUTH"}}
	for _, g := range c.script.Gateways {
		rows = append(rows, []string{g.Name, g.Endpoint, "local", "user", auth(g)})
	}
	if !c.since(62) {
		for i, row := range rows {
			rows[i] = append(row[:3:3], row[4])
		}
	}

	for i, row := range columns(rows) {
		line := row[0]
		for _, cell := range row[1:] {
			line += "  " + cell
		}
		switch {
		case i == 0:
			fmt.Fprintln(c.out, "  "+header(row))
		case c.script.Gateways[i-1].Active:
			fmt.Fprintln(c.out, green("* "+line))
		default:
			fmt.Fprintln(c.out, "  "+line)
		}
	}

	return nil
}

func (c *call) gatewayItems() []any {
	items := []any{}
	for _, g := range c.script.Gateways {
		item := map[string]any{"name": g.Name, "endpoint": g.Endpoint, "type": "local", "auth": auth(g), "active": g.Active}
		if c.since(62) {
			item["source"] = "user"
		}
		if c.since(85) {
			item["is_remote"], item["remote_host"], item["resolved_host"] = false, nil, nil
		}
		items = append(items, item)
	}
	return items
}

func auth(g Gateway) string {
	if g.Auth == "" {
		return "plaintext"
	}
	return g.Auth
}
