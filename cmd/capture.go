package cmd

import (
	"time"

	"github.com/spf13/pflag"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/internal/private"
)

// captureOptions are shared by every command that makes backups.
type captureOptions struct {
	pauseLimit     time.Duration
	stallLimit     time.Duration
	encryptTo      []string
	allowPlaintext bool
	way            string
}

func (o *captureOptions) addFlags(f *pflag.FlagSet) {
	f.DurationVar(&o.pauseLimit, "pause-limit", home.DefaultPauseLimit, "pause a running container at most this long; 0 never pauses")
	f.DurationVar(&o.stallLimit, "stall-limit", time.Minute, "give up on a sandbox that sends nothing for this long")
	f.StringSliceVar(&o.encryptTo, "encrypt-to", nil, "encrypt archives to these age recipients")
	wayVar(f, &o.way)
	f.BoolVar(&o.allowPlaintext, "allow-plaintext", false, "write backups in plain text also where others could read them: on a network, FUSE or removable file system")
}

// check judges what cobra cannot, before anything is looked at.
func (o *captureOptions) check() error {
	switch {
	case o.pauseLimit < 0:
		return usage("0 never pauses", "--pause-limit must not be negative")
	case o.stallLimit <= 0:
		return usage("give a duration such as 1m", "--stall-limit must be positive")
	}

	if err := archive.CheckRecipients(o.encryptTo); err != nil {
		return usage("give public keys that age-keygen printed (age1…)", "--encrypt-to: %w", err)
	}
	return nil
}

// mayBePlain refuses to write backups in plain text where they leave this host: homes are saved with their credentials.
func (o *captureOptions) mayBePlain(root string) error {
	if len(o.encryptTo) > 0 || o.allowPlaintext {
		return nil
	}
	if err := private.Local(root); err != nil {
		return usage("add --encrypt-to RECIPIENT, or --allow-plaintext", "backups hold credentials and would leave this host in plain text: %w", err)
	}
	return nil
}
