package openshell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/command"
	"sandkeeper/internal/text"
)

// Status asks the named gateway ("" is the active one) how it is, in the newest way that this CLI knows. A gateway that
// answered badly is a Status; *MismatchError or *ListingError mean that no answer could be had or read.
func (c *CLI) Status(ctx context.Context, gateway string) (Status, error) {
	result, err := c.askEither(ctx, "status", gateway, 92)
	if !errors.Is(err, errRefused) || gateway == "" {
		return readStatus(gateway, result, err)
	}
	// This generation takes no -g here: it answers for the active gateway, which must then be this one.
	result, err = c.ask(ctx, "status", "")
	status, err := readStatus(gateway, result, err)
	if err == nil && status.Gateway != gateway && status.Status != "not_configured" {
		return Status{}, unreadable("status", gateway, result, fmt.Errorf("the active gateway is %q", status.Gateway))
	}
	return status, err
}

func readStatus(gateway string, result command.Result, err error) (Status, error) {
	if err != nil {
		return Status{}, err
	}
	status, err := ParseStatus(string(result.Stdout))
	if err != nil {
		return Status{}, unreadable("status", gateway, result, err)
	}
	return status, nil
}

var errNoStatus = errors.New("the answer has no status line")

// ParseStatus reads what `openshell status` prints on standard output, JSON (0.0.92 and newer) or text of any
// generation.
func ParseStatus(output string) (Status, error) {
	if text := answerIn(output); strings.HasPrefix(text, "{") {
		return statusOfJSON(text)
	}
	status := Status{}
	found := false
	for line := range strings.Lines(text.StripANSI(output)) {
		key, value, ok := field(line)
		if !ok {
			continue
		}
		found = found || key == "status" || key == "gateway status"
		status.set(key, value)
	}

	if !found {
		return Status{}, errNoStatus
	}
	status.Server, status.Endpoint = either(status.Server, status.Endpoint), either(status.Endpoint, status.Server)
	return status, nil
}

func (s *Status) set(key, value string) {
	switch key {
	case "gateway":
		s.Gateway = value
	case "server":
		s.Server = value
	case "gateway endpoint":
		s.Endpoint = value
	case "status":
		s.Status = statusWord(value)
	case "gateway status": // NemoClaw takes such a line for the status (docs/facts/nemoclaw.md 5.1); a line of its own outranks it
		s.Status = either(s.Status, statusWord(value))
	case "version":
		s.Version = value
	case "auth", "authentication":
		s.Auth = value
	case "error", "grpc error", "http":
		s.Error = text.OneLine(either(s.Error, value), 260)
	}
}

// statusWord is the JSON spelling of a text status; "" for a word that no generation prints (docs/facts/openshell.md
// 2.2).
func statusWord(text string) string {
	switch strings.TrimSuffix(strings.ToLower(text), ".") {
	case "connected":
		return "connected"
	case "connected (http)", "connected_http":
		return "connected_http"
	case "error":
		return "error"
	case "disconnected":
		return "disconnected"
	case "no gateway configured", "not_configured":
		return "not_configured"
	}
	return ""
}

func statusOfJSON(written string) (Status, error) {
	var answer struct {
		Gateway        string `json:"gateway"`
		Server         string `json:"server"`
		Status         string `json:"status"`
		Version        string `json:"version"`
		Error          any    `json:"error"`
		Authentication struct {
			Status string `json:"status"`
		} `json:"authentication"`
	}
	if err := json.Unmarshal([]byte(written), &answer); err != nil {
		return Status{}, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if answer.Status == "" {
		return Status{}, errNoStatus
	}
	status := Status{
		Gateway: answer.Gateway, Server: answer.Server, Endpoint: answer.Server, Version: answer.Version,
		Status: statusWord(answer.Status), Auth: answer.Authentication.Status,
	}
	if answer.Error != nil {
		status.Error = text.OneLine(fmt.Sprint(answer.Error), 260)
	}
	return status, nil
}

// field splits "  Key: value"; the key in lower case.
func field(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(strings.TrimSpace(line), ":")
	value = strings.TrimSpace(value)
	return strings.ToLower(strings.TrimSpace(key)), value, ok && value != ""
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
