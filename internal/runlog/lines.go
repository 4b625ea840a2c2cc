package runlog

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Lines is a log of JSON lines, one object for each thing that happened. A nil one takes everything and writes nothing.
type Lines struct {
	mu      sync.Mutex
	file    *os.File
	command string
	pid     int
	stages  map[string]string // by sandbox
	err     error
}

// line is one of them.
type line struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // info, warning, error
	Event   string    `json:"event"` // begin, warning, stage, end
	Command string    `json:"command"`
	PID     int       `json:"pid"`
	Message string    `json:"message"`
	Sandbox string    `json:"sandbox,omitempty"`
	Run     *Record   `json:"run,omitempty"` // at the end
}

// OpenLines opens the file to be added to; a new one is for its owner alone.
func OpenLines(path, command string) (*Lines, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Lines{file: f, command: command, pid: os.Getpid()}
	l.add(line{Level: "info", Event: "begin", Message: command + " begins"})
	return l, nil
}

// Warn notes a warning.
func (l *Lines) Warn(message string) {
	l.add(line{Level: "warning", Event: "warning", Message: message})
}

// Stage notes how far the work on a sandbox is, once for each stage; err is why it ended with it.
func (l *Lines) Stage(sandbox, stage string, err error) {
	if l == nil || !l.enters(sandbox, stage) {
		return
	}
	entry := line{Level: "info", Event: "stage", Sandbox: sandbox, Message: fmt.Sprintf("%s: %s", sandbox, stage)}
	if err != nil {
		entry.Level, entry.Message = "error", fmt.Sprintf("%s: %s: %v", sandbox, stage, err)
	}
	l.add(entry)
}

// enters reports whether the sandbox was in another stage until now.
func (l *Lines) enters(sandbox, stage string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stages == nil {
		l.stages = map[string]string{}
	}
	was := l.stages[sandbox]
	l.stages[sandbox] = stage
	return was != stage
}

// End notes how the run ended and closes the file. The error is the first that any line met.
func (l *Lines) End(r Record) error {
	if l == nil {
		return nil
	}
	level := "info"
	if r.ExitCode != 0 {
		level = "error"
	}
	l.add(line{Level: level, Event: "end", Message: r.Sentence(), Run: &r})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
	return l.err
}

// add writes one line with one call, so that lines of several runs stay whole.
func (l *Lines) add(entry line) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	entry.Time, entry.Command, entry.PID = time.Now().UTC(), l.command, l.pid
	text, err := json.Marshal(entry)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	if l.err == nil {
		l.err = err
	}
}
