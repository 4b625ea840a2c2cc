package cmd

import (
	"context"

	"sandkeeper/backup/archive"
	"sandkeeper/gateway"
)

// launchOf is how a live gateway was started by hand, to be kept with its state; nil when that cannot be seen, or is
// not to be kept.
func launchOf(ctx context.Context, o gateway.Options, t gateway.Target) *archive.Launch {
	l, known := gateway.LaunchOf(ctx, o, t)
	if !known {
		return nil
	}
	return &archive.Launch{Program: l.Program, Args: l.Args, Env: l.Env, Dir: l.Dir}
}

// addLaunch adds to what was seen of a gateway how it was started when its state was last saved, where nothing else
// starts it and its program is still there.
func (s *stores) addLaunch(seen *gateway.Observation) {
	if seen.Served.Answered || seen.Process.PID != 0 || seen.Host.Start != "" || seen.Target.Err != nil {
		return
	}
	st, err := s.open(storeOptions{dir: s.dir})
	if err != nil {
		return
	}
	saved, err := st.Gateways().Backups(seen.Target.Name)
	if err != nil {
		return
	}
	for _, b := range saved { // the newest first
		if !b.Whole() || b.Manifest.Launch == nil {
			continue
		}
		kept := b.Manifest.Launch
		if l := (gateway.Launch{Program: kept.Program, Args: kept.Args, Env: kept.Env, Dir: kept.Dir}); l.Starts(s.term.UID) {
			seen.Host.Launch = &l
		}
		return
	}
}
