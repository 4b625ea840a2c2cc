package cmd

import (
	"context"
	"errors"
	"fmt"

	"sandkeeper/preflight"
)

// hostRun is a run that writes backups, as the host's checks need to know it.
type hostRun struct {
	facts     hostFacts
	chosen    func(all []string) []string // the sandboxes that will be saved
	report    *preflight.Report           // gets the results
	skip      skipOptions
	noGateway bool   // nobody asks a gateway, so its database does not matter
	harmless  bool   // nothing is written, so nothing need stop it
	undone    string // what was not done yet, such as "stopped or written"
}

// check runs the host's checks for a run that writes backups: what would end it halfway ends it now.
func (c *hostChecks) check(ctx context.Context, f hostRun) error {
	in := c.input(f.facts)
	in.Names = f.chosen(in.Names)
	in.Need = func(ctx context.Context) preflight.Need { return f.facts.need(ctx, in.Names) }
	in.Supervisor, in.Holder = nil, nil // upgrade-sandboxes asks the first, the lock the second
	if f.noGateway {
		in.Database = nil
	}
	var stop []error
	for _, r := range c.add(ctx, f.report, in, f.skip) {
		decisive := r.Code == preflight.CodeRoot || r.Code == preflight.CodeSpace
		switch {
		case r.Status == preflight.Fail && decisive && !f.harmless:
			stop = append(stop, fmt.Errorf("%s: %s", r.Code, r.Detail))
		case r.Status == preflight.Fail || r.Status == preflight.Warn:
			c.term.warn("%s: %s", r.Code, r.Detail)
		}
	}

	if len(stop) == 0 {
		return nil
	}
	hint := c.term.nothingWas(f.undone) + "; make room or choose another folder with --backup-dir, or go on with --skip-check CODE"
	return &Failure{Code: ExitRefused, Kind: "check_failed", Err: errors.Join(stop...), Hint: hint}
}
