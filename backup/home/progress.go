package home

import (
	"io"
	"sync/atomic"
	"time"
)

// Stage is where a sandbox is in its backup or restore; stable words, printed as stage lines.
type Stage string

// The stages, in the order in which they come. Not every sandbox passes through every one.
const (
	StagePausing    Stage = "pausing"
	StageReading    Stage = "reading"
	StageCommitting Stage = "committing"
	StageVerifying  Stage = "verifying"
	StageSaving     Stage = "saving"   // restore: what is there now is backed up first
	StageStopping   Stage = "stopping" // restore: the target's container
	StageWriting    Stage = "writing"  // restore
	StageStarting   Stage = "starting" // restore
	StageUndoing    Stage = "undoing"  // restore: what was there before is put back
	StageDone       Stage = "done"
)

// Event is one step of one sandbox. While a stage goes on, events with the same stage and higher counts may follow.
type Event struct {
	Sandbox string
	Stage   Stage
	Bytes   int64 // read or written so far in this stage
	Files   int
	Expect  int64 // bytes expected in all: of the previous backup, or what the engine says is written; 0 when not known
	Err     error // with StageDone: why it did not succeed
}

// eventGap is how often the counts of one sandbox are reported.
const eventGap = 100 * time.Millisecond

// Meter counts what passes through and reports it as events. Safe for one writer and the reporting it does itself.
type Meter struct {
	sandbox string
	Expect  int64
	report  func(Event)
	stage   Stage
	Bytes   atomic.Int64
	files   atomic.Int64
	last    time.Time
}

// NewMeter measures the work on one sandbox; report, when there is one, is told of every step.
func NewMeter(sandbox string, report func(Event)) *Meter {
	if report == nil {
		report = func(Event) {}
	}
	return &Meter{sandbox: sandbox, report: report}
}

// Enter begins a stage: the counts start again at nothing.
func (m *Meter) Enter(s Stage) {
	m.stage = s
	m.Bytes.Store(0)
	m.files.Store(0)
	m.tell(nil)
}

// Keep begins a stage that goes on counting, or reporting, what the one before it counted.
func (m *Meter) Keep(s Stage) {
	m.stage = s
	m.tell(nil)
}

// Done ends the measuring, with what the work came to.
func (m *Meter) Done(err error) {
	m.stage = StageDone
	m.tell(err)
}

func (m *Meter) file() { m.files.Add(1) }

func (m *Meter) tell(err error) {
	m.last = time.Now()
	m.report(Event{
		Sandbox: m.sandbox, Stage: m.stage, Bytes: m.Bytes.Load(), Files: int(m.files.Load()), Expect: m.Expect, Err: err,
	})
}

// Reader counts the bytes that are read from r.
func (m *Meter) Reader(r io.Reader) io.Reader { return &meterReader{Meter: m, from: r} }

type meterReader struct {
	*Meter
	from io.Reader
}

// Read reads on, counts, and tells how far it is every eventGap.
func (r *meterReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.Bytes.Add(int64(n))
	if time.Since(r.last) >= eventGap {
		r.tell(nil)
	}
	return n, err
}
