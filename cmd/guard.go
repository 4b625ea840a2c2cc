package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sandkeeper/backup/home"
	"sandkeeper/internal/journal"
)

// guardName is the hidden command that a run starts beside itself: it unpauses containers when the run dies.
const guardName = "guard-paused-containers"

func newGuard(a *app) *cobra.Command {
	return &cobra.Command{
		Use: guardName, Hidden: true, Short: "Unpause containers when the run that paused them dies",
		RunE: a.pure(func(ctx context.Context) (*answer, error) {
			if a.Env.StateHome() == "" {
				return nil, errors.New("the guard needs a home for its journal")
			}
			err := home.Guard(context.WithoutCancel(ctx), a.In, a.Out, journal.Pauses(journal.PausedDir(a.Env.StateHome())), home.Dialer(a.Env))
			return nil, err
		}),
	}
}
