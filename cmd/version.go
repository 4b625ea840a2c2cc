package cmd

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Version is the release that this source is on the way to. A build from a tagged commit has the tag's version instead.
const Version = "0.1.0"

type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // the commit, with "+dirty" when the tree had changes; "" when the build did not record it
	Commit   string `json:"commit"`
	Date     string `json:"date"` // of the commit, RFC 3339
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Annotations: exits(ExitOK, ExitUsage),
		Long: "Print the version of sandkeeper; with -o json also the commit that it was built from and its date. Needs no Docker, no config file\nand no home.",
		RunE: a.pure(func(context.Context) (*answer, error) {
			v := version()
			return &answer{result: v, text: func(term *terminal) { fmt.Fprintln(term.Out, v) }}, nil
		}),
	}
}

// String is the line that `sandkeeper version` and `sandkeeper --version` print.
func (v versionResult) String() string {
	return fmt.Sprintf("sandkeeper %s (%s %s/%s)", v.Version, v.Go, v.OS, v.Arch)
}

// pure runs a command that looks at nothing: no config file, no journal of paused containers.
func (a *app) pure(run func(context.Context) (*answer, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		a.term.json = a.term.json || a.global.json || a.global.output == "json"
		a.started = true
		found, err := run(c.Context())
		a.answer = found
		return err
	}
}

// version is what the build recorded of itself.
func version() versionResult {
	v := versionResult{Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	dirty := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			v.Commit = setting.Value
		case setting.Key == "vcs.time":
			v.Date = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+dirty"
		}
	}

	if v.Commit != "" {
		v.Revision = v.Commit + dirty
	}
	v.Version = release(info.Main.Version, v.Commit)
	return v
}

// release is the version of a build whose main module has the version that Go recorded (the tag of its commit, or a
// pseudo-version where the commit has none): the tag; else the release that the source is on the way to, and which
// commit it is.
func release(recorded, commit string) string {
	recorded = strings.TrimPrefix(recorded, "v")
	untagged := regexp.MustCompile(`-(?:[\w.]*0\.)?\d{14}-[0-9a-f]{12}`)
	switch {
	case recorded != "" && recorded != "(devel)" && !untagged.MatchString(recorded):
		return recorded
	case len(commit) >= 12:
		return Version + "-dev+" + commit[:12]
	}
	return Version
}
