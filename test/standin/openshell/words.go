package openshell

import (
	"slices"
	"strconv"
	"strings"

	"sandkeeper/test/e2e/gateway"
)

// words is a command line, sorted: the command ("sandbox list"), its operands, the flags by long name, and what follows
// "--".
type words struct {
	command  string
	operands []string
	flags    map[string]string
	rest     []string
}

func (w words) number(flag string, otherwise int) int {
	if n, err := strconv.Atoi(w.flags[flag]); err == nil {
		return n
	}
	return otherwise
}

// usage is a mistake in the command line, printed by clap with exit status 2.
type usage struct{ message, line string }

// Error is clap's first line, without its usage.
func (u usage) Error() string { return u.message }

// commands is what this generation's command line can do.
func (c *call) commands() map[string]func(*call) error {
	all := map[string]func(*call) error{
		"status": (*call).status, "gateway info": (*call).gatewayInfo,
		"sandbox list": (*call).sandboxList, "sandbox get": (*call).sandboxGet, "sandbox exec": (*call).sandboxExec,
		"sandbox delete": (*call).sandboxDelete,
	}
	if c.since(37) {
		all["gateway list"] = (*call).gatewayList
	}
	if c.since(105) {
		all["sandbox stop"], all["sandbox start"] = (*call).sandboxPhase, (*call).sandboxPhase
	}
	return all
}

// flags is the flags that a command has in this generation; true for those that take a value.
func (c *call) flags(command string) map[string]bool {
	known := map[string]bool{"gateway": true, "gateway-endpoint": true}
	outputSince := map[string]uint64{"status": 92, "gateway info": 85, "gateway list": 47, "sandbox list": 44, "sandbox get": 92}
	if patch, can := outputSince[command]; can && c.since(patch) {
		known["output"] = true
	}
	if strings.HasPrefix(command, "sandbox ") && c.since(88) {
		known["workspace"] = true
	}
	switch command {
	case "sandbox list":
		known["ids"], known["names"] = false, false
		for _, flag := range c.paging() {
			known[flag] = true
		}
		if c.since(37) {
			known["selector"] = true
		}
		if c.since(88) {
			known["all-workspaces"] = false
		}
	case "sandbox exec":
		known["name"], known["workdir"], known["timeout"], known["tty"], known["no-tty"] = true, true, true, false, false
	case "sandbox delete":
		known["all"] = false
	}

	return known
}

// paging is the flags by which a page is asked for: the first says how large it is, the second where it begins.
func (c *call) paging() [2]string {
	if gateway.GenerationOf(c.script.Version) == gateway.Timestamps {
		return [2]string{"page-size", "page-token"}
	}
	return [2]string{"limit", "offset"}
}

func (c *call) parse(args []string) (words, error) {
	w := words{flags: map[string]string{}}
	w.command, args = c.command(args)
	if _, known := c.commands()[w.command]; !known {
		return w, unknownCommand(w.command)
	}
	known := c.flags(w.command)
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			w.rest = args
			break
		}
		if !strings.HasPrefix(arg, "-") {
			w.operands = append(w.operands, arg)
			continue
		}
		name, value, attached := strings.Cut(long(arg), "=")
		takes, found := known[name]
		switch {
		case !found:
			return w, usage{"unexpected argument '" + strings.SplitN(arg, "=", 2)[0] + "' found", "openshell " + w.command + " [OPTIONS]"}
		case !takes:
			value = "true"
		case !attached && len(args) == 0:
			return w, usage{"a value is required for '" + arg + "' but none was supplied", "openshell " + w.command + " [OPTIONS]"}
		case !attached:
			value, args = args[0], args[1:]
		}

		w.flags[name] = value
	}

	return w, nil
}

// command takes the command's words off the front, with the global flags that may stand before them put behind.
func (c *call) command(args []string) (string, []string) {
	var before []string
	for len(args) > 1 && slices.Contains([]string{"-g", "--gateway", "--gateway-endpoint"}, args[0]) {
		before, args = append(before, args[:2]...), args[2:]
	}
	if len(args) == 0 {
		return "", before
	}
	command, args := args[0], args[1:]
	if (command == "sandbox" || command == "gateway") && len(args) > 0 {
		command, args = command+" "+args[0], args[1:]
	}
	return command, append(before, args...)
}

func long(arg string) string {
	short := map[string]string{"-g": "gateway", "-o": "output", "-n": "name"}
	if name, found := short[arg]; found {
		return name
	}
	return strings.TrimPrefix(arg, "--")
}

func unknownCommand(command string) error {
	group, sub, nested := strings.Cut(command, " ")
	if nested {
		return usage{"unrecognized subcommand '" + sub + "'", "openshell " + group + " [OPTIONS] [COMMAND]"}
	}
	return usage{"unrecognized subcommand '" + command + "'", "openshell [OPTIONS] [COMMAND]"}
}
