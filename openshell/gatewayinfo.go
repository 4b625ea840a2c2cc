package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"sandkeeper/internal/text"
)

// GatewayInfo asks the CLI what it knows about the named gateway: its own registration (older than 0.0.85) or, newer,
// the gateway's live answer. A *ListingError with NotRegistered says that the CLI does not know it; ErrUnsupported that
// the gateway is too old to say.
func (c *CLI) GatewayInfo(ctx context.Context, gateway string) (Registration, error) {
	const op = "gateway info"
	result, err := c.askEither(ctx, op, gateway, 85)
	if strings.Contains(squeeze(result.Combined()), "gatewayinfoisnotsupportedbythisgatewayversion") {
		return Registration{}, unreadable(op, gateway, result, ErrUnsupported)
	}
	if err != nil {
		return Registration{}, err
	}
	if contains(result.Combined(), notRegisteredWordings) {
		return Registration{}, &ListingError{Gateway: gateway, Op: op, Output: text.OneLine(result.Combined(), 0), NotRegistered: true}
	}
	registration, err := ParseGatewayInfo(string(result.Stdout))
	if err != nil {
		return Registration{}, unreadable(op, gateway, result, err)
	}
	return registration, nil
}

// ParseGatewayInfo reads what `openshell gateway info` prints, JSON or text of any generation.
func ParseGatewayInfo(output string) (Registration, error) {
	text := answerIn(output)
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
