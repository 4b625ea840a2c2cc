package home

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
		watch, stop := WatchStall(t.Context(), time.Minute)
		defer stop()
		start := time.Now()
		n, err := io.Copy(io.Discard, watch.Reader(&drip{ctx: watch.Ctx, wait: 59 * time.Second, count: 100}))
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
		watch, stop := WatchStall(t.Context(), time.Minute)
		defer stop()
		r := watch.Reader(strings.NewReader("abc"))
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
		watch, stop := WatchStall(t.Context(), time.Minute)
		defer stop()
		<-watch.Ctx.Done()
		if _, ok := errors.AsType[*StallError](watch.Blame(context.Canceled)); !ok {
			t.Errorf("got %v", watch.Blame(context.Canceled))
		}
	})
}

func TestStallTellsTheCallersReason(t *testing.T) {
	reason := errors.New("operator pressed Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	watch, stop := WatchStall(ctx, time.Minute)
	defer stop()
	cancel(reason)
	if _, err := watch.Reader(strings.NewReader("abc")).Read(make([]byte, 1)); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
	if err := Blame(t.Context(), io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF {
		t.Errorf("an error without a cause became %v", err)
	}
}

func TestPulseIsSetBackByEveryRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watch, stop := WatchStall(t.Context(), time.Minute)
		defer stop()
		r := watch.Pulse(strings.NewReader("abc"))
		for range 3 {
			time.Sleep(59 * time.Second)
			if _, err := r.Read(make([]byte, 1)); err != nil || watch.Ctx.Err() != nil {
				t.Fatal(err, context.Cause(watch.Ctx))
			}
		}
		time.Sleep(61 * time.Second)
		if _, ok := errors.AsType[*StallError](context.Cause(watch.Ctx)); !ok {
			t.Error("a reader that stopped reading was not noticed")
		}
	})
}
