package openshell

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The real program colours its output whether or not a person reads it.
func bold(s string) string   { return "\x1b[1m" + s + "\x1b[0m" }
func dim(s string) string    { return "\x1b[2m" + s + "\x1b[0m" }
func red(s string) string    { return "\x1b[31m" + s + "\x1b[39m" }
func green(s string) string  { return "\x1b[32m" + s + "\x1b[39m" }
func yellow(s string) string { return "\x1b[33m" + s + "\x1b[39m" }

func (c *call) heading(text string) {
	fmt.Fprintf(c.out, "\x1b[1m\x1b[36m%s\x1b[39m\x1b[0m\n\n", text)
}

func (c *call) field(label, value string) { fmt.Fprintf(c.out, "  %s %s\n", dim(label+":"), value) }

// columns pads every column but the last to its widest cell; rows[0] is the header.
func columns(rows [][]string) [][]string {
	padded := make([][]string, len(rows))
	for r, row := range rows {
		padded[r] = slices.Clone(row)
		for i := range len(row) - 1 {
			width := 0
			for _, other := range rows {
				width = max(width, utf8.RuneCountInString(other[i]))
			}
			padded[r][i] += strings.Repeat(" ", width-utf8.RuneCountInString(row[i]))
		}
	}
	return padded
}

// header is a table's first line.
func header(cells []string) string {
	marked := make([]string, len(cells))
	for i, cell := range cells {
		marked[i] = bold(cell)
	}
	return strings.Join(marked, "  ")
}

// json prints v as the real program does: two spaces of indent, keys in alphabetical order, nothing escaped for HTML.
func (c *call) json(v any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := c.out.Write(b.Bytes())
	return err
}

// wantsJSON judges -o.
func (c *call) wantsJSON() (bool, error) {
	switch format := c.words.flags["output"]; format {
	case "", "table":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, failure("unsupported output format: " + format)
	}
}

// grpc words a gRPC status: tonic 0.12 until 0.0.60, tonic 0.14 since.
func (c *call) grpc(code, message string) error {
	if !c.since(61) {
		return failure(fmt.Sprintf(
			`status: %s, message: "%s", details: [], metadata: MetadataMap { headers: {"content-type": "application/grpc"} }`, code, message))
	}
	words := map[string]string{
		"Internal": "Internal error", "NotFound": "Some requested entity was not found",
		"Unavailable": "The service is currently unavailable", "InvalidArgument": "Client specified an invalid argument",
	}
	return failure(fmt.Sprintf(`code: '%s', message: "%s"`, words[code], message))
}
