package cmd

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sandkeeper/internal/env"
)

// settings are what is set beside the command line: in the environment, and behind it in the config file.
type settings struct {
	env  env.Env
	file config
}

// of is what is set for a flag, and where.
func (s *settings) of(flag string) (value, source string, set bool) {
	if value := s.env.Get(twin(flag)); value != "" {
		return value, "environment variable " + twin(flag), true
	}
	return s.file.flag(flag)
}

// twin is the environment variable that stands for a flag.
func twin(flag string) string {
	return "SANDKEEPER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// complete gives every flag that was not on the command line what is set for it elsewhere.
func (s *settings) complete(flags *pflag.FlagSet) error {
	var problem error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Annotations[byHand] != nil || problem != nil {
			return
		}
		value, source, set := s.of(f.Name)
		if !set {
			return
		}
		err := flags.Set(f.Name, value)
		if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
			problem = invalidValue(source, invalid)
		} else if err != nil {
			problem = usage("see the flag --"+f.Name, "%s: %w", source, err)
		}
	})
	return problem
}

// backupDir is where the backups are for a command with these flags: what its own flag says, else what the flag would be
// given.
func (s *settings) backupDir(flags *pflag.FlagSet) string {
	const name = "backup-dir"
	if f := flags.Lookup(name); f != nil {
		return f.Value.String()
	}
	value, _, _ := s.of(name)
	return value
}

// needs says which keys of the config file c cannot do without; nil is every key. Under --offline they are those that
// say what is saved, where, and how it is guarded: that is the way out of a broken host, and a mistake in another key
// must not bar it.
func (s *settings) needs(c *cobra.Command) func(key string) bool {
	offline := c.Flags().Lookup("offline")
	if offline == nil {
		return nil
	}
	on := s.env.Get(twin("offline"))
	if offline.Changed {
		on = offline.Value.String()
	}
	if !isTrue(on) {
		return nil
	}
	guards := []string{"backup_dir", "encrypt_to", "allow_plaintext", "only", "exclude", "skip_path", "gateway", "workspace"}
	return func(key string) bool { return slices.Contains(guards, key) }
}

// noEmptyValues refuses --only "$NAME" with NAME unset: it would mean every sandbox, --to "" the sandbox itself,
// --encrypt-to "" a plain archive, --forget "" an upgrade.
func noEmptyValues(flags *pflag.FlagSet) error {
	for _, flag := range []string{"only", "exclude", "encrypt-to", "seal-to"} {
		values, err := flags.GetStringSlice(flag)
		if err == nil && flags.Changed(flag) && (len(values) == 0 || slices.Contains(values, "")) {
			return usage("give values, or leave the flag out", "--%s has an empty value", flag)
		}
	}

	for _, flag := range []string{"gateway", "workspace", "backup-dir", "backup", "to", "identity", "gateway-state", "store", "store-host", "forget", "set", "html", "metrics", "log-json"} {
		value, err := flags.GetString(flag)
		if err == nil && flags.Changed(flag) && value == "" {
			return usage("give a value, or leave the flag out", "--%s is empty", flag)
		}
	}
	return nil
}
