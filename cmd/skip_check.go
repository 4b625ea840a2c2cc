package cmd

import (
	"github.com/spf13/pflag"

	"sandkeeper/preflight"
)

// skipOptions name the checks whose failure is to be a warning only.
type skipOptions struct{ codes []string }

func (o *skipOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.codes, "skip-check", nil, "let a failure of this check be a warning (repeatable); the schema gate cannot be skipped")
}

// check refuses codes that are no checks, and the gate.
func (o skipOptions) check() error {
	if err := preflight.CheckSkips(o.codes); err != nil {
		return usage("docs/checks.md has a section for each check", "--skip-check: %w", err)
	}
	return nil
}
