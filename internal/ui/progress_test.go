package ui

import (
	"strings"
	"sync"
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }
func newClock() *clock                { return &clock{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)} }

func plain() (*Progress, *strings.Builder, *clock) {
	var out strings.Builder
	c := newClock()
	return NewProgress(&Streams{Err: &out}, c.now), &out, c
}

func TestPlainProgressPrintsEachStageOnce(t *testing.T) {
	p, out, c := plain()
	p.Update("alpha", "reading", 0, 100)
	c.pass(time.Second)
	p.Update("alpha", "reading", 50, 100)
	p.Update("alpha", "verifying", 100, 100)
	p.Done("alpha", "alpha: done")
	if got, want := out.String(), "alpha: reading\nalpha: verifying\nalpha: done\n"; got != want {
		t.Errorf("progress = %q, want %q", got, want)
	}
}

func TestPlainProgressGivesASignOfLifeInLongStages(t *testing.T) {
	p, out, c := plain()
	p.Update("alpha", "reading", 0, 0)
	c.pass(29 * time.Second)
	p.Update("alpha", "reading", 1_000_000, 0)
	c.pass(time.Second)
	p.Update("alpha", "reading", 2_000_000, 0)
	p.Update("alpha", "reading", 3_000_000, 0)
	if got, want := out.String(), "alpha: reading\nalpha: still reading, 2.0 MB so far\n"; got != want {
		t.Errorf("progress = %q, want %q", got, want)
	}
}

func TestDrawnProgressLeavesOnlyLastLines(t *testing.T) {
	var out strings.Builder
	c := newClock()
	p := NewProgress(&Streams{Err: &out, ErrTTY: true, Width: 60}, c.now)
	p.Update("alpha", "reading", 0, 1000)
	c.pass(4 * time.Second)
	p.Update("alpha", "reading", 800, 1000)
	if !strings.Contains(out.String(), "800 B of 1.0 kB  200 B/s  about 1s left") {
		t.Errorf("no rate and time left in %q", out.String())
	}
	p.Done("alpha", "alpha: done")
	p.Close()
	if got, want := screen(out.String()), "alpha: done\n"; got != want {
		t.Errorf("what stays on the screen = %q, want %q", got, want)
	}
}

func TestDrawnLinesAreCutToTheTerminal(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&Streams{Err: &out, ErrTTY: true, Width: 20}, newClock().now)
	p.Update("a-sandbox-with-a-long-name", "reading", 0, 0)
	if line := strings.TrimSuffix(out.String(), "\n"); len([]rune(line)) >= 20 {
		t.Errorf("line %q is as wide as the terminal", line)
	}
}

func TestForeignNamesCannotDriveTheTerminal(t *testing.T) {
	p, out, _ := plain()
	p.Update("a\x1b[2J", "reading", 0, 0)
	p.Done("a\x1b[2J", "a\x1b[2J: failed\nmore")
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("progress = %q", out.String())
	}
}

func TestProgressIsSafeForManyWriters(t *testing.T) {
	p, out, _ := plain()
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			p.Update(name, "reading", 1, 2)
			p.Done(name, name+": done")
		})
	}
	wg.Wait()
	if got := strings.Count(out.String(), "\n"); got != 8 {
		t.Errorf("%d lines, want 8: %q", got, out.String())
	}
}

// screen plays the two control sequences that Progress uses and returns what is left.
func screen(drawn string) string {
	var lines []string
	for drawn != "" {
		if rest, ok := strings.CutPrefix(drawn, "\x1b["); ok {
			up, after, _ := strings.Cut(rest, "A\x1b[J")
			lines = lines[:len(lines)-int(up[0]-'0')]
			drawn = after
			continue
		}
		line, rest, _ := strings.Cut(drawn, "\n")
		lines = append(lines, line)
		drawn = rest
	}
	return strings.Join(lines, "\n") + "\n"
}

// What is said of a rate is believable: nothing from the first moments of a stage, no average with a stall of long ago, and nothing that a
// byte count which was known at once would pretend.
func TestDrawnRatesAreBelievable(t *testing.T) {
	var out strings.Builder
	c := newClock()
	p := NewProgress(&Streams{Err: &out, ErrTTY: true, Width: 80}, c.now)
	at := func(after time.Duration, bytes int64) string {
		c.pass(after)
		out.Reset()
		p.Update("alpha", "reading", bytes, 100_000_000_000)
		return out.String()
	}
	at(0, 0)
	if line := at(time.Millisecond*200, 40_000_000_000); strings.Contains(line, "/s") || strings.Contains(line, "left") {
		t.Errorf("after a fifth of a second: %q", line)
	}
	for range 100 { // a stall of twenty seconds
		at(200*time.Millisecond, 40_000_000_000)
	}
	line := ""
	for i := range 100 { // then 100 MB in a second
		line = at(200*time.Millisecond, 40_000_000_000+int64(i+1)*20_000_000)
	}
	if !strings.Contains(line, "100.0 MB/s") && !strings.Contains(line, "100 MB/s") {
		t.Errorf("twenty seconds later: %q", line)
	}
	at(0, 0) // it reads again from the start
	for i := range 10 {
		line = at(200*time.Millisecond, int64(i+1)*20_000_000)
	}
	if !strings.Contains(line, "100.0 MB/s") || strings.Contains(line, "left") {
		t.Errorf("two seconds after it began again: %q", line)
	}
	out.Reset()
	p.Update("alpha", "verifying", 10, 20)
	if strings.Contains(out.String(), "/s") {
		t.Errorf("a new stage began with the rate of another: %q", out.String())
	}
}

// TestSeveralTellOfTheirProgressAtOnce: objects of a bucket are sent by several goroutines. Without the lock the race detector fails this.
func TestSeveralTellOfTheirProgressAtOnce(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&Streams{Err: &out}, time.Now)
	var senders sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "a"} { // two pieces of one file
		senders.Go(func() {
			for done := range int64(100) {
				p.Update(name, "sending", done, 100)
			}
		})
	}
	senders.Wait()
	p.Close()
	if got := strings.Count(out.String(), ": sending\n"); got != 3 {
		t.Errorf("%d files are said to be sent:\n%s", got, out.String())
	}
}
