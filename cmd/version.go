package cmd

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is the release that this source is, or is on the way to: what `sandkeeper version` prints and manifests record.
const Version = "0.1.0"

type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source; "" when the build did not record it
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Annotations: exits(ExitOK, ExitUsage),
		Long: "Print the version of sandkeeper. Needs no Docker, no config file and no home.",
		RunE: a.pure(func(context.Context) (*answer, error) {
			v := versionResult{Version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH}
			return &answer{result: v, text: func(a *app) {
				fmt.Fprintf(a.Out, "sandkeeper %s (%s %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
			}}, nil
		}),
	}
}

// pure runs a command that looks at nothing: no config file, no journal of paused containers.
func (a *app) pure(run func(context.Context) (*answer, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		a.JSON = a.JSON || a.global.json || a.global.output == "json"
		a.started = true
		found, err := run(c.Context())
		a.answer = found
		return err
	}
}

// revision is the commit that the binary was built from, with "+dirty" when the tree had changes.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	commit, dirty := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			commit = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+dirty"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + dirty
}
