package lifecycle

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// ExtensionStats is how much one extension keeps.
type ExtensionStats struct {
	Extension string `json:"extension"`
	// States counts the sandboxes it has state for; Bytes and Largest are payload sizes.
	States  int `json:"states"`
	Bytes   int `json:"bytes"`
	Largest int `json:"largest"`
}

// Stats sums the stored states up, by extension.
func (s *Store) Stats() ([]ExtensionStats, error) {
	states, err := s.States()
	if err != nil {
		return nil, err
	}
	sums := map[string]ExtensionStats{}
	for _, state := range states {
		sum := sums[state.Extension]
		sum.Extension = state.Extension
		sum.States++
		sum.Bytes += state.Bytes
		sum.Largest = max(sum.Largest, state.Bytes)
		sums[state.Extension] = sum
	}

	stats := make([]ExtensionStats, 0, len(sums))
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		stats = append(stats, sums[name])
	}
	return stats, nil
}

// WriteMetrics writes the sums in the Prometheus text format.
func WriteMetrics(w io.Writer, stats []ExtensionStats) error {
	var text strings.Builder
	gauge := func(name, help string, value func(ExtensionStats) int) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %[1]s gauge\n", name, help)
		for _, s := range stats {
			fmt.Fprintf(&text, "%s{extension=%q} %d\n", name, s.Extension, value(s))
		}
	}
	gauge("sandkeeper_extension_states", "Sandboxes the extension keeps state for.", func(s ExtensionStats) int { return s.States })
	gauge("sandkeeper_extension_state_bytes", "Bytes of state the extension keeps.", func(s ExtensionStats) int { return s.Bytes })
	gauge("sandkeeper_extension_state_largest_bytes", "Bytes of its largest state.", func(s ExtensionStats) int { return s.Largest })
	_, err := io.WriteString(w, text.String())
	return err
}
