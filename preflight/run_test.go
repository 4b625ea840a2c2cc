package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ending(status Status) func(context.Context) Result {
	return func(context.Context) Result { return Result{Status: status, Detail: "seen"} }
}

func TestRunChecksSkipsWhatItNeeds(t *testing.T) {
	checks := []Check{
		{Code: "a", Title: "a holds", Run: ending(Fail)},
		{Code: "b", Run: ending(Warn)},
		{Code: "on-failed", Needs: []string{"b", "a"}, Run: ending(Pass)},
		{Code: "on-warned", Needs: []string{"b"}, Run: ending(Pass)},
		{Code: "on-skipped", Needs: []string{"on-failed"}, Run: ending(Pass)},
		{Code: "on-nothing", Needs: []string{"nowhere"}, Run: ending(Pass)},
		{Code: "on-later", Needs: []string{"later"}, Run: ending(Pass)},
		{Code: "on-itself", Needs: []string{"on-itself"}, Run: ending(Pass)},
		{Code: "later", Run: ending(Pass)},
	}
	var got, seen []string
	for _, r := range RunChecks(t.Context(), checks, func(r Result) { seen = append(seen, r.Code) }) {
		got = append(got, fmt.Sprintf("%s %s %s", r.Code, r.Status, r.Detail))
	}
	want := []string{
		"a fail seen", "b warn seen", "on-failed skip not evaluated: needs a (fail)", "on-warned pass seen",
		"on-skipped skip not evaluated: needs on-failed (skip)", "on-nothing skip needs nowhere, which is not checked here",
		"on-later skip needs later, which is not checked here", "on-itself skip needs on-itself, which is not checked here", "later pass seen",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("a b on-failed on-warned on-skipped on-nothing on-later on-itself later", strings.Join(seen, " ")); diff != "" {
		t.Errorf("observed in another order (-want +got):\n%s", diff)
	}
}

// TestRunChecksAtOnce: five checks of a second each take a second, and each says so.
func TestRunChecksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		for n := range 5 {
			checks = append(checks, Check{Code: fmt.Sprint("c", n), Run: func(context.Context) Result {
				time.Sleep(time.Second)
				return Result{Status: Pass}
			}})
		}
		start := time.Now()
		for _, r := range RunChecks(t.Context(), checks, nil) {
			if r.TookMs != 1000 {
				t.Errorf("%s took %d ms, want 1000", r.Code, r.TookMs)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want what the slowest takes", took)
		}
	})
}

func TestRunChecksBoundsEachCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := make(chan struct{})
		defer close(deaf)
		results := RunChecks(t.Context(), []Check{
			{Code: "deaf", Timeout: 2 * time.Second, Run: func(context.Context) Result { <-deaf; return Result{Status: Pass} }},
			{Code: "polite", Timeout: 2 * time.Second, Run: func(ctx context.Context) Result {
				<-ctx.Done()
				return Result{Status: Warn, Detail: "got half: " + context.Cause(ctx).Error()}
			}},
			{Code: "quick", Timeout: 2 * time.Second, Run: ending(Pass)},
		}, nil)
		want := []Result{
			{Code: "deaf", Status: Fail, Detail: "the check took longer than 2s", TookMs: 2100},
			{Code: "polite", Status: Warn, Detail: "got half: the check took longer than 2s", TookMs: 2000},
			{Code: "quick", Status: Pass, Detail: "seen"},
		}
		if diff := cmp.Diff(want, results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestRunChecksStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		release := make(chan struct{})
		defer close(release)
		time.AfterFunc(time.Second, func() { cancel(errors.New("interrupted")) })
		r := RunChecks(ctx, []Check{{Code: "endless", Run: func(context.Context) Result { <-release; return Result{} }}}, nil)[0]
		if r.Status != Fail || r.Detail != "interrupted" {
			t.Errorf("got %+v, want a failure that names the interruption", r)
		}
	})
}

func TestRunChecksIsolatesEachCheck(t *testing.T) {
	results := RunChecks(t.Context(), []Check{
		{Code: "panics", Run: func(context.Context) Result { panic("index out of range\x1b[31m\nat x.go") }},
		{Code: "silent", Run: func(context.Context) Result { return Result{} }},
		{Code: "odd", Run: func(context.Context) Result { return Result{Code: "other", Status: "great", Detail: "a\x1b[2Jb\n"} }},
		{Code: "fine", Title: "all is well", Run: ending(Pass)},
	}, nil)
	want := []Result{
		{Code: "panics", Status: Fail, Detail: "the check crashed: index out of range at x.go"},
		{Code: "silent", Status: Fail, Detail: "the check ended without a result"},
		{Code: "odd", Status: Fail, Detail: "ab"},
		{Code: "fine", Title: "all is well", Status: Pass, Detail: "seen"},
	}
	for n := range results {
		results[n].TookMs = 0
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}
