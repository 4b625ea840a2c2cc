package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/command"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
)

// Gateways lists the gateways that the CLI knows. A *ListingError, never an empty list, stands for an answer that
// cannot be read.
func (c *CLI) Gateways(ctx context.Context) ([]Registration, error) {
	const op = "gateway list"
	result, err := c.askEither(ctx, op, "", 47)
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

// columns are parted by two or more spaces (docs/facts/openshell.md 2.1).
var columns = pattern.Of(` {2,}`)

// ParseGateways reads what `openshell gateway list` prints, JSON or a table.
func ParseGateways(output string) ([]Registration, error) {
	written := answerIn(output)
	if strings.HasPrefix(written, "[") {
		return gatewaysOfJSON(written)
	}
	list := []Registration{}
	var header []string
	for line := range strings.Lines(written) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case header != nil:
			row, ok := gatewayRow(header, line)
			if !ok {
				return nil, fmt.Errorf("line %q is not a row of the gateway table", text.OneLine(line, 120))
			}
			list = append(list, row)
		case strings.HasPrefix(line, "No gateways found"):
			// What follows is advice, such as how to add one.
			return list, nil
		case strings.HasPrefix(line, "NAME ") && strings.Contains(line, "ENDPOINT"):
			header = strings.Fields(line)
		default:
			return nil, fmt.Errorf("line %q is not a table of gateways", text.OneLine(line, 120))
		}
	}

	if header == nil {
		return nil, errors.New("the answer is neither a list of gateways nor says that there are none")
	}
	return list, nil
}

// gatewayRow reads "* name  https://…  local  user  mtls"; the star marks the active gateway.
func gatewayRow(header []string, line string) (Registration, bool) {
	row := Registration{Active: strings.HasPrefix(line, "*")}
	cells := columns().Split(strings.TrimSpace(strings.TrimPrefix(line, "*")), -1)
	for i, cell := range cells[:min(len(cells), len(header))] {
		switch header[i] {
		case "NAME":
			row.Name = cell
		case "ENDPOINT":
			row.Endpoint, row.Port = cell, PortOf(cell)
		case "TYPE":
			row.Remote = cell != "local"
		case "AUTH":
			row.Auth = cell
		}
	}
	return row, row.Name != "" && strings.Contains(row.Endpoint, "://")
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
