package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// grace is how long a check whose time is up may still take to say so itself, with what it knows.
const grace = 100 * time.Millisecond

// Check is data: what it is called, what it needs, how it runs.
type Check struct {
	Code    string        // stable, kebab-case, a section of docs/checks.md
	Title   string        // what is true when it passes
	Needs   []string      // codes of earlier checks that must not have failed or been skipped
	Timeout time.Duration // 0 is none
	Run     func(context.Context) Result
}

// RunChecks runs checks, those that need nothing of each other at once, and returns their results in the order of the
// list. observe, when not nil, is told of each in that order as soon as it is known. A check that panics, takes too
// long or gives no status has failed; one whose needs are not met is skipped.
func RunChecks(ctx context.Context, checks []Check, observe func(Result)) []Result {
	results := make([]Result, len(checks))
	done := make([]chan struct{}, len(checks))
	for n := range checks {
		done[n] = make(chan struct{})
	}
	for n, check := range checks {
		go func() {
			defer close(done[n])
			results[n] = named(check, runNeeding(ctx, check, func(code string) *Result {
				earlier := slices.IndexFunc(checks[:n], func(c Check) bool { return c.Code == code })
				if earlier < 0 {
					return nil
				}
				<-done[earlier]
				return &results[earlier]
			}))
		}()
	}

	for n := range checks {
		<-done[n]
		if observe != nil {
			observe(results[n])
		}
	}

	return results
}

// named completes what a check found with what it is called and did not say.
func named(c Check, r Result) Result {
	r.Code = c.Code
	if r.Title == "" {
		r.Title = c.Title
	}
	if !slices.Contains([]Status{Pass, Warn, Fail, Skip}, r.Status) {
		r.Status, r.Detail = Fail, or(r.Detail, "the check ended without a result")
	}
	r.Detail, r.Fix = clean(r.Detail), clean(r.Fix)
	return r
}

// runNeeding runs c once its needs are known; earlier waits for and returns the result of an earlier check, nil when
// there is none.
func runNeeding(ctx context.Context, c Check, earlier func(code string) *Result) Result {
	for _, code := range c.Needs {
		need := earlier(code)
		if need == nil {
			return Result{Status: Skip, Detail: "needs " + code + ", which is not checked here"}
		}
		if need.Status == Fail || need.Status == Skip {
			return Result{Status: Skip, Detail: fmt.Sprintf("not evaluated: needs %s (%s)", code, need.Status)}
		}
	}
	return bounded(ctx, c)
}

func bounded(ctx context.Context, c Check) Result {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, errors.New("the check took longer than "+c.Timeout.String()))
		defer cancel()
	}

	start := time.Now()
	answer := make(chan Result, 1)
	go func() { answer <- isolated(ctx, c.Run) }()
	r := await(ctx, answer)
	if r.TookMs == 0 {
		r.TookMs = time.Since(start).Milliseconds()
	}
	return r
}

func await(ctx context.Context, answer <-chan Result) Result {
	select {
	case r := <-answer:
		return r
	case <-ctx.Done():
	}
	select {
	case r := <-answer:
		return r
	case <-time.After(grace):
		return Result{Status: Fail, Detail: context.Cause(ctx).Error()}
	}
}

// isolated turns a panic into a failed check.
func isolated(ctx context.Context, run func(context.Context) Result) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			r = Result{Status: Fail, Detail: fmt.Sprintf("the check crashed: %v", p)}
		}
	}()
	return run(ctx)
}
