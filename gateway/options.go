package gateway

import (
	"context"
	"path/filepath"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
)

// Options is what an observation needs to know. The zero values of all but Env and UID are usable.
type Options struct {
	Env           env.Env
	UID           int                                  // our effective user id: nothing that others could have written is executed
	Gateway       string                               // -g, or ""
	GatewayName   string                               // from a registry row's binding, or ""
	GatewayPort   int                                  // from the registry's binding; 0 is none
	ProbeTimeout  time.Duration                        // of one external command; 0 is 15 s
	EngineTimeout time.Duration                        // of one request to the container engine; 0 is ProbeTimeout when set, else 5 s
	Processes     Processes                            // nil is this host's process table
	Engines       func(context.Context) engine.Engines // of this host, opened and closed by the caller; nil opens and closes them
	Now           func() time.Time
	Root          string // put before absolute system paths; "" is "/"

	asked *asked // in one observation; nil: every program is run whenever it is asked
}

func (o Options) filled() Options {
	if o.EngineTimeout <= 0 {
		o.EngineTimeout = engine.DefaultTimeout
		if o.ProbeTimeout > 0 {
			o.EngineTimeout = o.ProbeTimeout
		}
	}

	if o.ProbeTimeout <= 0 {
		o.ProbeTimeout = command.DefaultTimeout
	}
	if o.Processes == nil {
		o.Processes = hostProcesses{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// system is an absolute path of the system's own, below Root.
func (o Options) system(path string) string { return filepath.Join("/", o.Root, path) }
