package main

import (
	"encoding/json"
	"strings"
)

// shortened is a result as a script would read it, without what a reader of the demo would skip: the preflight, and the
// host's paths.
func shortened(document []byte) string {
	var answer struct {
		Command  string `json:"command"`
		OK       bool   `json:"ok"`
		ExitCode int    `json:"exitCode"`
		Result   struct {
			Totals    json.RawMessage  `json:"totals"`
			Sandboxes []map[string]any `json:"sandboxes"`
		} `json:"result"`
	}
	if json.Unmarshal(document, &answer) != nil {
		return string(document)
	}
	for _, sandbox := range answer.Result.Sandboxes {
		for key := range sandbox {
			if key != "name" && key != "state" && key != "reasons" {
				delete(sandbox, key)
			}
		}
	}

	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if encoder.Encode(answer) != nil {
		return string(document)
	}
	return b.String()
}
