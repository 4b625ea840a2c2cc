package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/internal/runlog"
	"sandkeeper/internal/text"
	"sandkeeper/internal/ui"
	"sandkeeper/schedule"
)

type scheduleLookOptions struct {
	app  *app
	user bool
}

func newScheduleShow(a *app, run func(context.Context, *scheduleLookOptions) (*answer, error)) *cobra.Command {
	o := &scheduleLookOptions{app: a}
	if run == nil {
		run = runScheduleShow
	}
	c := &cobra.Command{
		Use: "show", Short: "Say what is installed, when it runs next, and how the last runs ended",
		Long:        "Say what is installed, when it runs next, and how the last runs ended. With -v, the files as well. Changes nothing.",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	c.Flags().BoolVar(&o.user, "user", false, "for root: what is installed for the user root, not for the machine")
	return c
}

// runsShown is how many of the last runs are shown.
const runsShown = 5

func runScheduleShow(ctx context.Context, o *scheduleLookOptions) (*answer, error) {
	h := scheduleHost(o.app.Streams, o.user)
	manager, why := h.Manager(ctx)
	jobs, err := h.Look(ctx, manager, jobNames())
	if err != nil {
		return nil, err
	}
	runs, err := o.app.history.last(runsShown)
	if err != nil {
		o.app.term.warn("%v", err)
	}
	result := map[string]any{"manager": manager, "scope": scopeOf(h), "why": why, "jobs": jobs, "runs": runs}
	return &answer{result: result, text: func(term *terminal) { renderSchedule(term, manager, why, jobs, runs) }}, nil
}

func renderSchedule(term *terminal, manager schedule.Manager, why string, jobs []schedule.Seen, runs []runlog.Record) {
	if manager == schedule.Cron {
		term.printf("No scheduler was found that sandkeeper can install a run for: %s.", why)
		term.printf("`sandkeeper schedule install` prints the line for a crontab; `crontab -l` shows whether it is there.")
	}
	for _, job := range jobs {
		renderJob(term, manager, job)
	}
	if len(runs) == 0 {
		term.printf("No run has been noted yet.")
		return
	}
	term.printf("Last runs:")
	table := term.table()
	for _, r := range runs {
		table.Row(ui.Age(time.Since(r.At))+" ago", ended(r))
	}
	table.Print(term.Out, nil)
}

// ended says how a run ended, in a line that stays readable where many things went wrong; --json has all of it.
func ended(r runlog.Record) string { return text.OneLine(r.Sentence(), 300) }

func renderJob(term *terminal, manager schedule.Manager, job schedule.Seen) {
	switch {
	case job.Foreign != "":
		term.printf("%s: %s", job.Name, job.Foreign)
	case job.Installed:
		term.printf("%s: installed for %s%s", job.Name, manager, strings.TrimSuffix(", "+job.When, ", "))
	case job.Active:
		term.printf("%s: not installed by sandkeeper schedule, but active: the package's own timer", job.Name)
	case manager != schedule.Cron && job.Name == jobNames()[0]:
		term.printf("%s: not installed; sandkeeper schedule install does it", job.Name)
	}

	if job.Installed && !job.Active {
		term.printf("  its timer does not run: sandkeeper schedule install starts it again")
	}
	for _, each := range [][2]string{{"next", job.Next}, {"last", job.Last}, {"result", job.Result}} {
		if each[1] != "" {
			term.printf("  %-7s %s", each[0], each[1])
		}
	}

	for _, file := range job.Files {
		term.printf("  %s", file.Path)
		if term.verbose > 0 {
			term.printf("%s", indented(file.Content))
		}
	}
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

func newScheduleRemove(a *app, run func(context.Context, *scheduleLookOptions) (*answer, error)) *cobra.Command {
	o := &scheduleLookOptions{app: a}
	if run == nil {
		run = runScheduleRemove
	}
	c := &cobra.Command{
		Use: "remove", Short: "Remove what schedule install wrote", SuggestFor: []string{"uninstall", "delete"},
		Long: "Stop the timers and remove the files that schedule install wrote, and nothing else. A backup that runs just now is let run; backups,\n" +
			"settings and the history of runs stay.",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	c.Flags().BoolVar(&o.user, "user", false, "for root: what is installed for the user root, not for the machine")
	return c
}

func runScheduleRemove(ctx context.Context, o *scheduleLookOptions) (*answer, error) {
	h := scheduleHost(o.app.Streams, o.user)
	manager, why := h.Manager(ctx)
	removed, left, err := h.Remove(ctx, manager, jobNames())
	leftWords := []string{}
	for _, each := range left {
		leftWords = append(leftWords, each.Error())
	}
	result := map[string]any{"manager": manager, "scope": scopeOf(h), "removed": append([]string{}, removed...), "left": leftWords}
	found := &answer{result: result, text: func(term *terminal) { renderRemoved(term, manager, why, removed, leftWords) }}
	if err != nil {
		return found, scheduleFailure(err)
	}
	return found, nil
}

func renderRemoved(term *terminal, manager schedule.Manager, why string, removed, left []string) {
	for _, path := range removed {
		term.printf("removed  %s", path)
	}
	for _, each := range left {
		term.printf("left     %s", each)
	}
	switch {
	case manager == schedule.Cron:
		term.printf("Nothing was removed: there is no scheduler that sandkeeper installs a run for (%s). A line in a crontab is removed with crontab -e.", why)
	case len(removed) == 0:
		term.printf("Nothing was removed: sandkeeper schedule install has written nothing here.")
	default:
		term.printf("What sandkeeper schedule install wrote is stopped and removed; backups, settings and the history of runs stay.")
	}
}

// scheduleFailure names what to do where a file is somebody else's.
func scheduleFailure(err error) error {
	hint := "sandkeeper schedule install --dry-run prints the files without writing them"
	if errors.Is(err, schedule.ErrForeign) {
		hint = "move that file away if it is not needed, then run this again; nothing was changed"
	}
	return &Failure{Code: ExitRefused, Kind: "internal", Err: err, Hint: hint}
}

func renderInstalled(term *terminal, r scheduleInstalled, h schedule.Host) {
	if r.Manager == schedule.Cron {
		term.printf("Nothing was installed: %s. Where cron runs, add this line with `crontab -e`:", r.Why)
		term.printf("%s", r.Crontab)
		return
	}

	for _, file := range r.Files {
		if r.DryRun {
			term.printf("%s:\n%s", file.Path, indented(file.Content))
		} else {
			term.printf("wrote  %s", file.Path)
		}
	}

	if r.DryRun {
		term.printf("Dry run: nothing was written.")
		return
	}
	who := "Every sandbox"
	if chooses(r.Command) {
		who += " that its flags choose"
	}
	term.printf("%s is backed up, and the backup read back, %s.", who, r.When)
	if r.Lingers != nil && !*r.Lingers {
		_, name := h.Lingers()
		term.warn("the run waits until you are logged in: your services end with your last session. To change that: %s", lingerCommand(name))
	}
	term.printf("Try it now: %s", startCommand(r))
	show := "sandkeeper schedule show"
	if r.Scope == "user" && term.UID == 0 { // root is shown what runs for the machine
		show += " --user"
	}
	term.printf("See how it went: %s, and sandkeeper status --max-age 26h", show)
}

// chooses reports whether a command line of backup-all leaves sandboxes out.
func chooses(command []string) bool {
	return slices.ContainsFunc(command, func(word string) bool {
		flag, _, _ := strings.Cut(word, "=")
		return slices.Contains([]string{"--only", "--exclude", "--gateway", "-g", "--workspace"}, flag)
	})
}

func lingerCommand(name string) string { return strings.TrimSpace("loginctl enable-linger " + name) }

// startCommand starts the run at once.
func startCommand(r scheduleInstalled) string {
	switch {
	case r.Manager == schedule.Launchd && r.Scope == "system":
		return "sudo launchctl kickstart system/local." + jobNames()[0]
	case r.Manager == schedule.Launchd:
		return fmt.Sprintf("launchctl kickstart gui/$(id -u)/local.%s", jobNames()[0])
	case r.Scope == "system":
		return "systemctl start " + jobNames()[0] + ".service"
	}
	return "systemctl --user start " + jobNames()[0] + ".service"
}
