package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// reportLine is how long one line of an engine's report may be.
const reportLine = 1 << 20

// pullReport reads what an engine says while it pulls: one JSON object a line. The status was sent long before, so that
// an error in the report is the only sign of one.
type pullReport struct {
	progress func(done, total int64)
	alive    func() // called for every line
	layers   map[string]layer
	digest   string
}

type layer struct{ done, total int64 }

// pullEvent is one line of the report (docker/docker, pkg/jsonmessage).
type pullEvent struct {
	Status string `json:"status"`
	ID     string `json:"id"`
	Error  string `json:"error"`
	Detail struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
}

// read reads to the end of the report.
func (r *pullReport) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, reportLine)
	for lines.Scan() {
		r.alive()
		if err := r.line(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (r *pullReport) line(text []byte) error {
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	var event pullEvent
	if err := json.Unmarshal(text, &event); err != nil {
		return fmt.Errorf("the engine's report cannot be read: %w", err)
	}
	if event.Detail.Message != "" {
		return errors.New(event.Detail.Message)
	}
	if event.Error != "" {
		return errors.New(event.Error)
	}
	if digest, ok := strings.CutPrefix(event.Status, "Digest: "); ok {
		r.digest = digest
	}
	r.count(event)
	return nil
}

// count adds the layers up. What is said of extracting has other sizes, so only what is downloaded counts.
func (r *pullReport) count(event pullEvent) {
	known, begun := r.layers[event.ID]
	switch {
	case event.Status == "Downloading" && event.Progress.Total > 0:
		total := min(event.Progress.Total, 1<<50) // nothing that an engine says may overflow the sum
		known = layer{min(max(event.Progress.Current, 0), total), total}
	case event.Status == "Download complete" && begun:
		known.done = known.total
	default:
		return
	}

	if r.layers == nil {
		r.layers = map[string]layer{}
	}
	r.layers[event.ID] = known
	if r.progress == nil {
		return
	}
	var all layer
	for _, l := range r.layers {
		all.done, all.total = all.done+l.done, all.total+l.total
	}
	r.progress(all.done, all.total)
}
