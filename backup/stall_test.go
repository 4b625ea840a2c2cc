package backup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// drip gives one byte per wait, for count bytes, and then blocks until ctx ends.
type drip struct {
	ctx   context.Context
	wait  time.Duration
	count int
}

func (d *drip) Read(p []byte) (int, error) {
	if d.count == 0 {
		<-d.ctx.Done()
		return 0, d.ctx.Err()
	}
	d.count--
	time.Sleep(d.wait)
	p[0] = 'x'
	return 1, nil
}

func TestStallLimitIsAboutSilenceNotAboutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch, stop := watchStall(t.Context(), time.Minute)
		defer stop()
		start := time.Now()
		n, err := io.Copy(io.Discard, watch.reader(&drip{ctx: watch.ctx, wait: 59 * time.Second, count: 100}))
		stalled, ok := errors.AsType[*StallError](err)
		if !ok || stalled.Limit != time.Minute || !strings.Contains(err.Error(), "no byte came for 1m0s") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); n != 100 || took != 100*59*time.Second+time.Minute {
			t.Errorf("%d bytes in %s: a slow source was cut off, or a silent one not", n, took)
		}
	})
}

func TestStallClockStandsWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch, stop := watchStall(t.Context(), time.Minute)
		defer stop()
		r := watch.reader(strings.NewReader("abc"))
		for range 3 {
			time.Sleep(time.Hour) // our disk is busy
			if _, err := r.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestStallRunsUntilTheStreamIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch, stop := watchStall(t.Context(), time.Minute)
		defer stop()
		<-watch.ctx.Done()
		if _, ok := errors.AsType[*StallError](watch.blame(context.Canceled)); !ok {
			t.Errorf("got %v", watch.blame(context.Canceled))
		}
	})
}

func TestStallTellsTheCallersReason(t *testing.T) {
	reason := errors.New("operator pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	watch, stop := watchStall(ctx, time.Minute)
	defer stop()
	cancel(reason)
	if _, err := watch.reader(strings.NewReader("abc")).Read(make([]byte, 1)); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	if err := blame(t.Context(), io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF {
		t.Errorf("an error without a cause became %v", err)
	}
}

func TestPulseIsSetBackByEveryRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch, stop := watchStall(t.Context(), time.Minute)
		defer stop()
		r := watch.pulse(strings.NewReader("abc"))
		for range 3 {
			time.Sleep(59 * time.Second)
			if _, err := r.Read(make([]byte, 1)); err != nil || watch.ctx.Err() != nil {
				t.Fatal(err, context.Cause(watch.ctx))
			}
		}
		time.Sleep(61 * time.Second)
		if _, ok := errors.AsType[*StallError](context.Cause(watch.ctx)); !ok {
			t.Error("a reader that stopped reading was not noticed")
		}
	})
}
