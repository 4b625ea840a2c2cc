package gateway

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"sandkeeper/internal/text"
)

// How much of a log's end is shown.
const (
	logBytes = 16 << 10
	logLines = 12
)

// lastWords are the last lines of the gateway's log in its state folder (docs/facts/nemoclaw.md 1.2), cleaned; none
// when it keeps none there.
func (o Options) lastWords(t Target) (path string, lines []string) {
	dir, _ := o.stateDir(t)
	if dir == "" {
		return "", []string{}
	}
	path = filepath.Join(dir, "openshell-gateway.log")
	content, err := tail(path)
	if err != nil {
		return "", []string{}
	}
	lines = []string{}
	for line := range strings.Lines(content) {
		if line = text.OneLine(line, lineLimit); line != "" {
			lines = append(lines, line)
		}
	}

	return path, lines[max(0, len(lines)-logLines):]
}

// tail reads the end of a regular file, from the beginning of a line on.
func tail(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	from := max(0, info.Size()-logBytes)
	content, err := io.ReadAll(io.NewSectionReader(f, from, logBytes))
	if from > 0 {
		_, rest, _ := strings.Cut(string(content), "\n")
		return rest, err
	}
	return string(content), err
}
