package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	plain "sandkeeper/internal/text"
)

// NemoClaw's default gateway, and the prefix of the names of the others (src/lib/onboard/gateway-binding.ts).
const (
	defaultGateway = "nemoclaw"
	defaultPort    = 8080
)

// Binding names one gateway: by name, or by port alone when Gateway is empty.
type Binding struct {
	Gateway string
	Port    int
}

func (b Binding) has(row Row) bool {
	if row.BindingErr != nil {
		return false
	}
	if b.Gateway != "" {
		return row.Gateway == b.Gateway
	}
	return row.GatewayPort == b.Port
}

// bind resolves row's gateway as NemoClaw does (docs/facts/nemoclaw.md 1.3): a valid integer gatewayPort wins, else a
// valid gatewayName, else — both absent — the default: that of the port root the file lies in, if it lies in one.
// Anything else is an error and no gateway.
func bind(row *Row, rootPort int) {
	fields, _ := members(row.Raw)
	port, name := last(fields, "gatewayPort"), last(fields, "gatewayName")
	if n, ok := portNumber(port); ok {
		row.Gateway, row.GatewayPort = gatewayName(n), n
		return
	}
	if n, ok := namedPort(textOf(name)); ok {
		row.Gateway, row.GatewayPort = gatewayName(n), n
		return
	}
	if null(port) && null(name) {
		row.GatewayPort = rootPort
		if rootPort == 0 {
			row.GatewayPort = defaultPort
		}
		row.Gateway = gatewayName(row.GatewayPort)
		return
	}

	row.BindingErr = fmt.Errorf("its recorded gateway binding is invalid (gatewayPort=%s, gatewayName=%s)", shown(port), shown(name))
}

func gatewayName(port int) string {
	if port == defaultPort {
		return defaultGateway
	}
	return fmt.Sprintf("%s-%d", defaultGateway, port)
}

// namedPort reads the port out of a persisted name. "nemoclaw-8080" is invalid: the default has no suffix.
func namedPort(name string) (int, bool) {
	if name == defaultGateway {
		return defaultPort, true
	}
	suffix, found := strings.CutPrefix(name, defaultGateway+"-")
	port, ok := parsePort(suffix)
	return port, found && ok && port != defaultPort
}

// portNumber accepts what JavaScript's Number.isInteger accepts: 8091 and 8091.0, not "8091".
func portNumber(raw json.RawMessage) (int, bool) {
	var n float64
	if null(raw) || json.Unmarshal(raw, &n) != nil {
		return 0, false
	}
	return int(n), n == math.Trunc(n) && n >= 1 && n <= 65535
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// shown is a value of the registry as a person wrote it: a string in quotes, escaped once, anything else as it stands
// in the file.
func shown(raw json.RawMessage) string {
	const most = 80
	if len(raw) == 0 {
		return "absent"
	}
	var s string
	if json.Unmarshal(raw, &s) != nil || null(raw) {
		return plain.OneLine(string(raw), most)
	}
	if cut := []rune(s); len(cut) > most {
		return fmt.Sprintf("%q…", string(cut[:most]))
	}
	return fmt.Sprintf("%q", s)
}
