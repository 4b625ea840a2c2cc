package survey

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"sandkeeper/gateway"
	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// Host is how and where to look. It opens the container engines once, however often it is asked. Make one for each
// command.
type Host struct {
	Env       env.Env
	UID       int
	Gateway   string // the one gateway that is meant (-g); "" for every one
	Workspace string // the one workspace that is meant; "" for every one

	ProbeTimeout time.Duration // of one look at a gateway or an engine; 0 is their own default
	// Warn tells the operator what a survey could not see; Note what helps when somebody looks closer. Both must be
	// set.
	Warn, Note func(format string, args ...any)

	// Remembered adds to what was seen of a gateway what is kept from before, as how it was started. nil: nothing is
	// kept.
	Remembered func(*gateway.Observation)

	engines enginesOnce
}

// PortError is a NEMOCLAW_GATEWAY_PORT that is no port.
type PortError struct{ Text string }

// Error names the variable and what it holds.
func (e *PortError) Error() string { return fmt.Sprintf("NEMOCLAW_GATEWAY_PORT is %q", e.Text) }

// On is the same host looked at through one gateway alone, as with -g.
func (h *Host) On(gateway string) *Host {
	return &Host{
		Env: h.Env, UID: h.UID, Gateway: gateway, Workspace: h.Workspace, ProbeTimeout: h.ProbeTimeout, Warn: h.Warn, Note: h.Note,
		Remembered: h.Remembered,
	}
}

// CommandTimeout is how long a single foreign command may take.
func (h *Host) CommandTimeout() time.Duration {
	if h.ProbeTimeout > 0 {
		return h.ProbeTimeout
	}
	return command.DefaultTimeout
}

// Registry reads NemoClaw's registry: all of it, or the rows of the one gateway that was asked for. Errors: *PortError,
// *sandbox.RegistryError.
func (h *Host) Registry() (sandbox.Registry, error) {
	only, err := h.only()
	if err != nil {
		return sandbox.Registry{}, err
	}
	return sandbox.ReadRegistry(h.Env, only)
}

// only is the gateway that Gateway or NEMOCLAW_GATEWAY_PORT asks for; nil asks for every one.
func (h *Host) only() (*sandbox.Binding, error) {
	if h.Gateway != "" {
		return &sandbox.Binding{Gateway: h.Gateway}, nil
	}
	text := h.Env.Get("NEMOCLAW_GATEWAY_PORT")
	if text == "" {
		return nil, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1024 || port > 65535 {
		return nil, &PortError{Text: text}
	}
	return &sandbox.Binding{Port: port}, nil
}

// Bindings are the gateways that a run concerns: the one asked for, else those that the registry's rows are bound to,
// else the one binding that says "choose": gateway.ChooseTarget then decides.
func (h *Host) Bindings(r sandbox.Registry) []sandbox.Binding {
	if h.Gateway != "" {
		return []sandbox.Binding{{Gateway: h.Gateway}}
	}
	var found []sandbox.Binding
	for _, row := range r.Rows {
		binding := sandbox.Binding{Gateway: row.Gateway, Port: row.GatewayPort}
		if row.BindingErr == nil && !slices.Contains(found, binding) {
			found = append(found, binding)
		}
	}

	if len(found) == 0 {
		return []sandbox.Binding{{}}
	}
	return found
}

// Options are those with which the gateway of a binding is observed.
func (h *Host) Options(binding sandbox.Binding) gateway.Options {
	return gateway.Options{
		Env: h.Env, UID: h.UID, Gateway: h.Gateway, GatewayName: binding.Gateway, GatewayPort: binding.Port,
		ProbeTimeout: h.ProbeTimeout, EngineTimeout: h.ProbeTimeout, Now: time.Now, Engines: h.Engines,
	}
}
