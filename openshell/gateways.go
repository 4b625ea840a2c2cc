package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"sandkeeper/internal/command"
)

// GatewayInfo asks the CLI what it knows about the named gateway: its own registration (older than 0.0.85) or, newer, the gateway's
// live answer. A *ListingError with NotRegistered says that the CLI does not know it; ErrUnsupported that the gateway is too old to say.
func (c *CLI) GatewayInfo(ctx context.Context, gateway string) (Registration, error) {
	const op = "gateway info"
	result, err := c.ask(ctx, op, gateway, "-o", "json")
	if errors.Is(err, errRefused) {
		result, err = c.ask(ctx, op, gateway)
	}
	if strings.Contains(squeeze(result.Combined()), "gatewayinfoisnotsupportedbythisgatewayversion") {
		return Registration{}, unreadable(op, gateway, result, ErrUnsupported)
	}
	if err != nil {
		return Registration{}, err
	}
	if contains(result.Combined(), notRegisteredWordings) {
		return Registration{}, &ListingError{Gateway: gateway, Op: op, Output: OneLine(result.Combined(), 0), NotRegistered: true}
	}
	registration, err := ParseGatewayInfo(string(result.Stdout))
	if err != nil {
		return Registration{}, unreadable(op, gateway, result, err)
	}
	return registration, nil
}

// ParseGatewayInfo reads what `openshell gateway info` prints, JSON or text of any generation.
func ParseGatewayInfo(output string) (Registration, error) {
	text := strings.TrimSpace(stripANSI(output))
	if strings.HasPrefix(text, "{") {
		var answer struct{ Gateway, Server, Auth, Version string }
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			return Registration{}, fmt.Errorf("the answer is not JSON: %w", err)
		}
		return registered(Registration{Name: answer.Gateway, Endpoint: answer.Server, Auth: answer.Auth, Version: answer.Version})
	}
	info := Registration{}
	for line := range strings.Lines(text) {
		key, value, ok := field(line)
		if !ok {
			continue
		}
		switch key {
		case "gateway":
			info.Name = value
		case "server", "gateway endpoint":
			info.Endpoint = value
		case "auth", "authentication":
			info.Auth = value
		case "version":
			info.Version = value
		}
	}
	return registered(info)
}

func registered(r Registration) (Registration, error) {
	if r.Name == "" && r.Endpoint == "" {
		return Registration{}, errors.New("the answer names neither a gateway nor an endpoint")
	}
	r.Port = PortOf(r.Endpoint)
	return r, nil
}

// PortOf is the TCP port of an endpoint URL: the explicit one, else that of http or https; 0 when there is none.
func PortOf(endpoint string) int {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return 0
	}
	if port, err := strconv.Atoi(u.Port()); err == nil && port > 0 && port < 1<<16 {
		return port
	}
	return map[string]int{"http": 80, "https": 443}[u.Scheme]
}

// Gateways lists the gateways that the CLI knows. A *ListingError, never an empty list, stands for an answer that cannot be read.
func (c *CLI) Gateways(ctx context.Context) ([]Registration, error) {
	const op = "gateway list"
	result, err := c.ask(ctx, op, "", "-o", "json")
	if errors.Is(err, errRefused) {
		result, err = c.ask(ctx, op, "")
	}
	if err != nil {
		return nil, err
	}
	return readGateways(op, result)
}

func readGateways(op string, result command.Result) ([]Registration, error) {
	text := result.Stdout
	if len(strings.TrimSpace(string(text))) == 0 {
		text = result.Stderr
	}
	list, err := ParseGateways(string(text))
	if err != nil {
		return nil, unreadable(op, "", result, err)
	}
	return list, nil
}

// columns are parted by two or more spaces (facts/openshell.md 2.1).
var columns = regexp.MustCompile(` {2,}`)

// ParseGateways reads what `openshell gateway list` prints, JSON or a table.
func ParseGateways(output string) ([]Registration, error) {
	text := strings.TrimSpace(stripANSI(output))
	if strings.HasPrefix(text, "[") {
		return gatewaysOfJSON(text)
	}
	list := []Registration{}
	header, none := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		active := strings.HasPrefix(line, "*")
		cells := columns.Split(strings.TrimSpace(strings.TrimPrefix(line, "*")), -1)
		switch {
		case line == "":
		case strings.HasPrefix(line, "No gateways found"):
			none = true
		case cells[0] == "NAME" && len(cells) > 1 && cells[1] == "ENDPOINT":
			header = true
		case none || !header:
			// Advice, such as how to add a gateway.
		case len(cells) >= 2 && strings.Contains(cells[1], "://"):
			list = append(list, gatewayRow(cells, active))
		default:
			return nil, fmt.Errorf("line %q is not a row of the gateway table", line)
		}
	}
	if !header && !none {
		return nil, errors.New("the answer is neither a list of gateways nor says that there are none")
	}
	return list, nil
}

func gatewayRow(cells []string, active bool) Registration {
	row := Registration{Name: cells[0], Endpoint: cells[1], Port: PortOf(cells[1]), Active: active}
	if len(cells) > 2 {
		row.Remote = cells[2] != "local"
	}
	if len(cells) > 3 {
		row.Auth = cells[3]
	}
	return row
}

func gatewaysOfJSON(text string) ([]Registration, error) {
	var items []struct {
		Name     string `json:"name"`
		Endpoint string `json:"endpoint"`
		Type     string `json:"type"`
		Auth     string `json:"auth"`
		Active   bool   `json:"active"`
		IsRemote *bool  `json:"is_remote"`
	}
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	list := make([]Registration, 0, len(items))
	for _, item := range items {
		if item.Name == "" {
			return nil, errors.New("the answer has a gateway without a name")
		}
		remote := item.Type != "" && item.Type != "local"
		if item.IsRemote != nil {
			remote = *item.IsRemote
		}
		list = append(list, Registration{
			Name: item.Name, Endpoint: item.Endpoint, Port: PortOf(item.Endpoint), Auth: item.Auth, Active: item.Active, Remote: remote,
		})
	}
	return list, nil
}
