package cmd

import (
	"encoding/json"
	"io"

	"sandkeeper/preflight"
)

// schema is the version of the JSON envelope; keys are only ever added to it.
const schema = 1

// envelope is the one JSON document that a command writes to standard output (docs/design.md 4.2).
type envelope struct {
	Schema    int               `json:"schema"`
	Command   string            `json:"command"`
	OK        bool              `json:"ok"`
	ExitCode  ExitCode          `json:"exitCode"`
	Error     *envelopeError    `json:"error"`
	Preflight *preflight.Report `json:"preflight"`
	Result    any               `json:"result"`
}

type envelopeError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func writeEnvelope(w io.Writer, e envelope) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(e)
}
