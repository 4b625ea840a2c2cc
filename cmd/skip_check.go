package cmd

import (
	"slices"

	"github.com/spf13/pflag"

	"sandkeeper/internal/text"
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
		var near []string
		for _, code := range o.codes {
			if known := preflight.KnownChecks(); !slices.Contains(known, code) {
				near = append(near, text.Nearest(code, known)...)
			}
		}
		return usage(meant(near)+"docs/checks.md has a section for each check", "--skip-check: %w", err)
	}
	return nil
}
