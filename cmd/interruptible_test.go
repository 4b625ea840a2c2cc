package cmd

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// Ctrl-C ends a command that reads from a terminal or a pipe on which nothing comes.
func TestAReadOfNothingIsInterrupted(t *testing.T) {
	for _, line := range []string{"diagnose --no-host", "backups import -"} {
		silent, writer := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		var out, problems bytes.Buffer
		s := &ui.Streams{
			In: reading{silent, cancel}, Out: &out, Err: &problems, Env: env.Parse([]string{"HOME=" + t.TempDir(), "PATH=/nowhere"}), UID: os.Geteuid(),
		}
		args := strings.Fields(line)
		if code := run(ctx, args, newApp(args, s)); code != ExitInterrupted || !strings.Contains(problems.String(), "interrupted") {
			t.Errorf("%s: exit %d, %s", line, code, problems.String())
		}
		_ = writer.Close() // ends the read that was left behind
	}
}

// reading calls begun when it is read from.
type reading struct {
	io.Reader
	begun func()
}

func (r reading) Read(p []byte) (int, error) {
	r.begun()
	return r.Reader.Read(p)
}
