package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/internal/ui"
	"sandkeeper/schedule"
)

const scheduleLong = `The nightly run. "install" writes a timer for systemd, or a job for launchd on macOS, and starts it; elsewhere it prints the line for a
crontab. "show" says what is installed, when it runs next and how the last runs ended. "remove" takes away what "install" wrote, and
nothing else.`

// jobNames are the names of the jobs that are installed.
func jobNames() []string { return []string{"sandkeeper-backup", "sandkeeper-drill"} }

func newSchedule(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "schedule", Short: "Install, show or remove the nightly run", Long: scheduleLong, Annotations: exits(ExitOK, ExitUsage),
	}
	c.AddCommand(newScheduleInstall(a, nil), newScheduleShow(a, nil), newScheduleRemove(a, nil))
	return c
}

// scheduleHost is the host whose scheduler is meant: the machine's for root, the user's for everybody else.
func scheduleHost(s *ui.Streams, user bool) schedule.Host {
	return schedule.Host{Env: s.Env, UID: s.UID, System: s.UID == 0 && !user}
}

type scheduleInstallOptions struct {
	app    *app
	at     string
	every  string
	drill  bool
	user   bool
	dryRun bool
	extra  []string // for backup-all
	root   *cobra.Command
}

const scheduleInstallLong = `Run "backup-all --verify" every night, or as often as --every says: as root for the machine, as anybody else for the user.

What follows "--" is for backup-all: schedule install -- --encrypt-to age1…; what is in the config file holds as well, on_failure and
metrics for instance. HOME, PATH and the variables that sandkeeper, OpenShell and the engines read are written into the unit as they are
now, so that the night sees what you see; variables that look like secrets are not.

A file of that name that sandkeeper did not write is never replaced. Installing again replaces what was installed.`

func newScheduleInstall(a *app, run func(context.Context, *scheduleInstallOptions) (*answer, error)) *cobra.Command {
	o := &scheduleInstallOptions{app: a}
	if run == nil {
		run = runScheduleInstall
	}
	c := &cobra.Command{
		Use: "install", Short: "Install the nightly run", Long: scheduleInstallLong,
		Example:     "  sandkeeper schedule install\n  sandkeeper schedule install --at 04:15 -- --encrypt-to age1…\n  sandkeeper schedule install --every 30m",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitInterrupted),
	}
	f := c.Flags()
	f.StringVar(&o.at, "at", "02:30", "time of the day, in the time zone of this host")
	choiceVar(f, &o.every, "every", append([]string{"day"}, schedule.Intervals()...), "how often; an interval begins at full hours, not at --at")
	f.BoolVar(&o.drill, "drill", false, "on Sundays at 05:30 also restore the newest backups into throw-away containers (backups drill)")
	f.BoolVar(&o.user, "user", false, "for root: install for the user root, not for the machine")
	f.BoolVar(&o.dryRun, "dry-run", false, "print the files; write nothing")
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		o.extra, o.root = args, c.Root()
		if n := c.ArgsLenAtDash(); n != 0 && len(args) > 0 {
			return usage("flags of backup-all follow after --", "%q is one argument too many", args[0])
		}
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// scheduleInstalled is what an installation did.
type scheduleInstalled struct {
	Manager   schedule.Manager `json:"manager"`
	Scope     string           `json:"scope"` // system or user
	Installed bool             `json:"installed"`
	DryRun    bool             `json:"dryRun"`
	When      string           `json:"when"`
	Command   []string         `json:"command"`
	Files     []schedule.File  `json:"files"`
	Crontab   string           `json:"crontab"` // the line to add by hand; "" where a manager was found
	Why       string           `json:"why"`     // why there is no manager
	Lingers   *bool            `json:"lingers"` // whether a user's timers run while nobody is logged in; null where that does not matter
}

func runScheduleInstall(ctx context.Context, o *scheduleInstallOptions) (*answer, error) {
	jobs, err := o.jobs()
	if err != nil {
		return nil, err
	}
	h := scheduleHost(o.app.Streams, o.user)
	manager, why := h.Manager(ctx)
	r := scheduleInstalled{Manager: manager, Scope: scopeOf(h), DryRun: o.dryRun, When: jobs[0].When.Words(), Command: append([]string{jobs[0].Program}, jobs[0].Args...), Files: []schedule.File{}}
	found := &answer{text: func(term *terminal) { renderInstalled(term, r, h) }}
	switch {
	case manager == schedule.Cron:
		r.Why = why
		for _, job := range jobs {
			r.Crontab = strings.TrimPrefix(r.Crontab+"\n"+job.CronLine(), "\n")
		}
	case o.dryRun:
		r.Files, err = h.Plan(manager, jobs)
	default:
		r.Files, err = h.Install(ctx, manager, jobs)
		r.Installed = err == nil
	}

	if err != nil {
		return nil, scheduleFailure(err)
	}
	if lingers, _ := h.Lingers(); manager == schedule.Systemd && !h.System {
		r.Lingers = &lingers
	}
	found.result = r
	return found, nil
}

func scopeOf(h schedule.Host) string {
	if h.System {
		return "system"
	}
	return "user"
}

// jobs are the nightly run and, where it is wanted, the weekly drill.
func (o *scheduleInstallOptions) jobs() ([]schedule.Job, error) {
	a := o.app
	when, err := o.when()
	if err != nil {
		return nil, err
	}
	extra, err := o.flagsOfBackupAll()
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(a.Args0) {
		return nil, fmt.Errorf("where this program lies is not known (%q)", a.Args0)
	}
	jobs := []schedule.Job{{
		Name: jobNames()[0], Description: "Back up every OpenShell sandbox", Program: a.Args0, When: when, Environment: schedule.Environment(a.Env),
		Args: append([]string{"backup-all", "--quiet", "--verify", "--lock-wait", "10m"}, extra...),
	}}
	if o.drill {
		jobs = append(jobs, schedule.Job{
			Name: jobNames()[1], Description: "Restore the newest backups into throw-away containers", Program: a.Args0,
			When: schedule.When{Hour: 5, Minute: 30, Weekly: true}, Environment: schedule.Environment(a.Env), Args: []string{"backups", "drill", "--quiet"},
		})
	}

	return jobs, nil
}

func (o *scheduleInstallOptions) when() (schedule.When, error) {
	when, err := schedule.Daily(o.at)
	if err == nil && o.every != "day" {
		when, err = schedule.Often(o.every)
	}
	if err != nil {
		return when, usage("give a time such as --at 02:30", "--at: %w", err)
	}
	return when, nil
}

// flagsOfBackupAll are the flags that the run gets beside its own. They are judged now, by day, and not by the first
// night.
func (o *scheduleInstallOptions) flagsOfBackupAll() ([]string, error) {
	host := o.app.host
	extra := slices.Clone(o.extra)
	for _, each := range [][2]string{{"--gateway", host.Gateway}, {"--workspace", host.Workspace}} {
		if each[1] != "" {
			extra = append(extra, each[0], each[1])
		}
	}

	tonight := newApp(nil, o.app.Streams)
	run := &backupAllOptions{app: tonight}
	probe := run.command(nil)
	newRoot(tonight).AddCommand(probe)
	if err := probe.ParseFlags(extra); err != nil {
		return nil, mistyped(probe, err)
	}
	if dry, _ := probe.Flags().GetBool("dry-run"); dry {
		return nil, usage("to see the files and write none: sandkeeper schedule install --dry-run", "with --dry-run the night's run would save nothing")
	}
	if left := probe.Flags().Args(); len(left) > 0 {
		return nil, usage("only flags of backup-all follow after --", "%q is no flag", left[0])
	}
	for _, name := range []string{"backup-dir", "metrics", "log-json"} {
		if f := probe.Flags().Lookup(name); f != nil && f.Value.String() != "" && !filepath.IsAbs(f.Value.String()) {
			return nil, usage("give an absolute path", "--%s %q would be another place in the night's run", name, f.Value)
		}
	}
	if err := tonight.prepare(probe); err != nil { // with what the configuration file says
		return nil, err
	}
	return extra, run.check()
}
