package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"sandkeeper/internal/text"
)

// complaintLimit is how much of what tar says on standard error is kept.
const complaintLimit = 64 << 10

// readByTar streams the folder name of a running container as tar, as Read does: the container's own tar reads it, as
// root. The stream ends with an error when tar does.
func (e *Engine) readByTar(ctx context.Context, id, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	argv := []string{"tar", "-cf", "-", "-C", path.Dir(name), path.Base(name)}
	made, err := e.client.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: argv, User: "0", AttachStdout: true, AttachStderr: true})
	if err != nil {
		defer cancel() // after the error was explained, which would otherwise be the cancellation
		return nil, e.explain(ctx, err)
	}
	attached, err := e.attach(ctx, made.ID)
	if err != nil {
		defer cancel() // after the error was explained, which would otherwise be the cancellation
		return nil, e.explain(ctx, err)
	}
	context.AfterFunc(ctx, attached.Close)
	from, to := io.Pipe()
	go func() {
		defer attached.Close()
		var complaints bytes.Buffer
		_, err := stdcopy.StdCopy(to, &firstBytes{to: &complaints, left: complaintLimit}, attached.Reader)
		if err == nil {
			err = e.tarEnded(ctx, made.ID, complaints.String())
		}
		to.CloseWithError(err)
	}()
	return &exported{from, cancel}, nil
}

// tarEnded is nil when tar has read everything, or complained only of what changed under a live read.
func (e *Engine) tarEnded(ctx context.Context, run, complaints string) error {
	exit, err := e.exitOf(ctx, run)
	if err != nil || exit == 0 {
		return err
	}
	for line := range strings.Lines(complaints) {
		if !strings.Contains(line, "file changed as we read it") && !strings.Contains(line, "File removed before we read it") {
			return fmt.Errorf("tar in the container ended with exit status %d: %s", exit, text.OneLine(complaints, errorLimit))
		}
	}

	if exit != 1 { // of GNU tar: some files differ
		return errors.New(text.OneLine(fmt.Sprintf("tar in the container ended with exit status %d: %s", exit, complaints), errorLimit))
	}
	return nil
}

// firstBytes keeps the beginning of what is written to it.
type firstBytes struct {
	to   io.Writer
	left int
}

// Write takes all of p and keeps what there is room for.
func (f *firstBytes) Write(p []byte) (int, error) {
	kept := p[:min(len(p), f.left)]
	f.left -= len(kept)
	_, err := f.to.Write(kept)
	return len(p), err
}
