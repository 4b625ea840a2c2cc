package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"sandkeeper/internal/size"
)

// heartbeat is how often a long quiet stage says that it still runs when there is no line to redraw.
const heartbeat = 30 * time.Second

// redraw is how often a status line is drawn at most.
const redraw = 100 * time.Millisecond

// A rate is what passed within the last rateSpan, and is said when there is at least rateLeast to judge by. How long it
// will still take is said when a stage has lasted leftLeast: the first moments of one say little about the rest of it.
const (
	rateSpan  = 15 * time.Second
	rateLeast = time.Second
	leftLeast = 3 * time.Second
)

// Progress shows work on several objects at once: one redrawn line per running object on a terminal, plain lines
// otherwise. Stage lines ("alpha: reading") are always whole lines in plain mode, so that logs and tests can follow
// them.
type Progress struct {
	mu     sync.Mutex
	w      io.Writer
	redraw bool
	width  int
	now    func() time.Time
	drawn  int
	last   time.Time
	tasks  []*task
}

type task struct {
	name    string
	stage   string
	bytes   int64
	total   int64
	started time.Time
	beat    time.Time
	seen    []sample // of this stage, from the last rateSpan, oldest first
}

// sample is how far a stage was at a time.
type sample struct {
	at    time.Time
	bytes int64
}

// NewProgress shows progress on s.Err; now is the clock.
func NewProgress(s *Streams, now func() time.Time) *Progress {
	width := s.Width
	if width == 0 {
		width = 80
	}
	return &Progress{w: s.Err, redraw: s.ErrTTY, width: width, now: now}
}

// Update says where name is: its stage, and how many of total bytes have passed in it (0 when not known).
func (p *Progress) Update(name, stage string, bytes, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.task(name)
	entered := t.stage != stage
	if entered {
		t.stage, t.started, t.beat, t.seen = stage, p.now(), p.now(), nil
	}
	if bytes < t.bytes/2 { // what was read is read once more; a little less only comes late
		t.seen, t.started = nil, p.now()
	}
	t.bytes, t.total = bytes, total
	t.sample(p.now())
	switch {
	case p.redraw:
		p.draw(entered)
	case entered:
		fmt.Fprintf(p.w, "%s: %s\n", Clean(name), Clean(stage))
	default:
		p.beat(t)
	}
}

// beat says now and then, where no line can be redrawn, that a long stage still goes on.
func (p *Progress) beat(t *task) {
	if now := p.now(); now.Sub(t.beat) >= heartbeat {
		t.beat = now
		fmt.Fprintf(p.w, "%s: still %s, %s so far\n", Clean(t.name), Clean(t.stage), size.Text(t.bytes))
	}
}

// Done ends name with a last line, which stays.
func (p *Progress) Done(name, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks = slices.DeleteFunc(p.tasks, func(t *task) bool { return t.name == name })
	p.erase()
	fmt.Fprintln(p.w, Clean(line))
	if p.redraw {
		p.draw(true)
	}
}

// Close removes what is still drawn.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks = nil
	p.erase()
}

func (p *Progress) task(name string) *task {
	for _, t := range p.tasks {
		if t.name == name {
			return t
		}
	}

	t := &task{name: name, started: p.now(), beat: p.now()}
	p.tasks = append(p.tasks, t)
	return t
}

func (p *Progress) draw(force bool) {
	now := p.now()
	if !force && now.Sub(p.last) < redraw {
		return
	}
	p.last = now
	p.erase()
	for _, t := range p.tasks {
		fmt.Fprintln(p.w, cut(t.line(now), p.width-1))
	}
	p.drawn = len(p.tasks)
}

// erase goes up to the first drawn line and clears to the end of the screen (ECMA-48 CUU and ED).
func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (t *task) line(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", Clean(t.name), Clean(t.stage))
	if t.bytes == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "  %s", size.Text(t.bytes))
	if t.total > t.bytes {
		fmt.Fprintf(&b, " of %s", size.Text(t.total))
	}
	rate := t.rate(now)
	if rate <= 0 {
		return b.String()
	}
	fmt.Fprintf(&b, "  %s/s", size.Text(int64(rate)))
	if left := t.total - t.bytes; left > 0 && now.Sub(t.started) >= leftLeast {
		fmt.Fprintf(&b, "  about %s left", Age(time.Duration(float64(left)/rate*float64(time.Second))))
	}
	return b.String()
}

// sample notes how far t is, not more often than lines are drawn, and forgets what is too long ago to count.
func (t *task) sample(now time.Time) {
	if n := len(t.seen); n > 0 && now.Sub(t.seen[n-1].at) < redraw {
		return
	}
	t.seen = append(t.seen, sample{now, t.bytes})
	for len(t.seen) > 1 && now.Sub(t.seen[0].at) > rateSpan {
		t.seen = t.seen[1:]
	}
}

// rate is how many bytes pass in a second now; 0 while there is too little to judge by.
func (t *task) rate(now time.Time) float64 {
	if len(t.seen) == 0 {
		return 0
	}
	span := now.Sub(t.seen[0].at)
	if span < rateLeast {
		return 0
	}
	return float64(t.bytes-t.seen[0].bytes) / span.Seconds()
}

func cut(line string, width int) string {
	runes := []rune(line)
	if width <= 1 || len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}
