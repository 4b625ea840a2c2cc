package cmd

import (
	"fmt"
	"io"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/internal/ui"
)

// progress begins the display of what a run is at; with -q there is none.
func (t *terminal) progress() *ui.Progress { return ui.NewProgress(t.loud(), time.Now) }

// showProgress brings the display up to date with one event of a run.
func (t *terminal) showProgress(p *ui.Progress, e home.Event) {
	t.lines.Stage(e.Sandbox, string(e.Stage), e.Err)
	switch {
	case e.Stage == home.StageDone && e.Err != nil:
		p.Done(e.Sandbox, e.Sandbox+": failed: "+e.Err.Error())
	case e.Stage == home.StageDone:
		p.Done(e.Sandbox, e.Sandbox+": done")
	default:
		p.Update(e.Sandbox, string(e.Stage), e.Bytes, e.Expect)
	}
}

// stage says that a sandbox has come to a step: "alpha: creating". The words are those of the journal.
func (t *terminal) stage(sandbox, step string) {
	fmt.Fprintf(t.loud().Err, "%s: %s\n", ui.Clean(sandbox), step)
}

// loud is where progress is written: standard error, or nowhere with -q.
func (t *terminal) loud() *ui.Streams {
	if !t.quiet {
		return t.Streams
	}
	silent := *t.Streams
	silent.Err, silent.ErrTTY = io.Discard, false
	return &silent
}
