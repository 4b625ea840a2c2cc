package cmd

import (
	"context"
	"fmt"
	"time"

	"sandkeeper/backup/store"

	"github.com/spf13/pflag"

	"sandkeeper/internal/ui"
)

// lockRetry is how often a store that another run holds is tried again.
const lockRetry = 200 * time.Millisecond

func (o *storeOptions) addLockFlag(f *pflag.FlagSet) {
	f.DurationVar(&o.lockWait, "lock-wait", 0, "wait this long for another run that holds the backups; 0 does not wait")
}

// openToChange is open for a command that will lock the store. A store that another run holds is waited for as long as
// --lock-wait says, or until ctx ends.
func (s *stores) openToChange(ctx context.Context, o storeOptions) (*store.Store, error) {
	if o.lockWait < 0 {
		return nil, usage("give a duration such as 10m", "--lock-wait must not be negative")
	}
	st, err := s.open(o)
	if err != nil || o.lockWait == 0 {
		return st, err
	}
	st.Patience = s.patience(ctx, o.lockWait)
	return st, nil
}

// patience is asked whether to try again for what another run holds: until limit is over, or ctx.
func (s *stores) patience(ctx context.Context, limit time.Duration) func(*store.LockedError) bool {
	until, said := time.Now().Add(limit), false
	return func(held *store.LockedError) bool {
		if !time.Now().Before(until) {
			return false
		}
		if !said && !s.term.quiet {
			fmt.Fprintln(s.term.Err, ui.Clean(fmt.Sprintf("waiting up to %s: %v", limit, held)))
			said = true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(lockRetry):
			return true
		}
	}
}
