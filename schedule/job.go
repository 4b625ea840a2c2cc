// Package schedule answers one question: how does the nightly run come about on this host? It writes, shows and removes
// what the host's own scheduler reads (systemd, launchd), says the line for cron where there is neither, and touches no
// file that it did not write.
package schedule

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandkeeper/internal/size"
	"sandkeeper/internal/text"
)

// Mark begins every file that this program writes for a scheduler: only such files are replaced and removed.
const Mark = "Written by \"sandkeeper schedule install\", which writes it anew; \"sandkeeper schedule remove\" removes it."

// Job is one command line of ours that is run again and again.
type Job struct {
	Name        string   // of its unit: "sandkeeper-backup"
	Description string   // one line
	Program     string   // absolute
	Args        []string // of Program
	Environment []string // "NAME=value": what the run needs of the environment in which it was installed
	When        When
}

// When says when a job runs: every day at a time, or every so often.
type When struct {
	Hour, Minute int
	Weekly       bool          // on Sundays only
	Every        time.Duration // not 0: so often instead, a divisor of an hour or of a day in whole hours
}

// Intervals are the words that every takes.
func Intervals() []string {
	return []string{"10m", "15m", "20m", "30m", "1h", "2h", "3h", "4h", "6h", "8h", "12h"}
}

// Daily is every day at a time such as "02:30".
func Daily(text string) (When, error) {
	at, err := time.Parse("15:04", text)
	if err != nil {
		return When{}, fmt.Errorf("%q is no time of the day such as 02:30", text)
	}
	return When{Hour: at.Hour(), Minute: at.Minute()}, nil
}

// Often is once in an interval of Intervals.
func Often(text string) (When, error) {
	every, err := time.ParseDuration(text)
	if err != nil || !slices.Contains(Intervals(), text) {
		return When{}, fmt.Errorf("%q is none of %s", text, strings.Join(Intervals(), ", "))
	}
	return When{Every: every}, nil
}

// calendar is when as systemd's OnCalendar takes it (systemd.time(7)).
func (w When) calendar() string {
	switch {
	case w.Every >= time.Hour:
		return fmt.Sprintf("*-*-* 00/%d:00:00", int(w.Every.Hours()))
	case w.Every > 0:
		return fmt.Sprintf("*-*-* *:00/%d:00", int(w.Every.Minutes()))
	case w.Weekly:
		return fmt.Sprintf("Sun *-*-* %02d:%02d:00", w.Hour, w.Minute)
	}
	return fmt.Sprintf("*-*-* %02d:%02d:00", w.Hour, w.Minute)
}

// cron is when as the first five fields of a crontab's line (crontab(5)).
func (w When) cron() string {
	switch {
	case w.Every == time.Hour:
		return "0 * * * *"
	case w.Every > time.Hour:
		return fmt.Sprintf("0 */%d * * *", int(w.Every.Hours()))
	case w.Every > 0:
		return fmt.Sprintf("*/%d * * * *", int(w.Every.Minutes()))
	case w.Weekly:
		return fmt.Sprintf("%d %d * * 0", w.Minute, w.Hour)
	}
	return fmt.Sprintf("%d %d * * *", w.Minute, w.Hour)
}

// Words say when to a person.
func (w When) Words() string {
	switch {
	case w.Every >= time.Hour:
		return "every " + size.Count(int(w.Every.Hours()), "hour", "hours")
	case w.Every > 0:
		return "every " + size.Count(int(w.Every.Minutes()), "minute", "minutes")
	case w.Weekly:
		return fmt.Sprintf("every Sunday at %02d:%02d", w.Hour, w.Minute)
	}
	return fmt.Sprintf("every day at %02d:%02d", w.Hour, w.Minute)
}

// CronLine is the job as a line of a crontab. In a crontab a percent sign ends the command, so it is written with a
// backslash.
func (j Job) CronLine() string {
	words := []string{}
	for _, each := range j.Environment {
		name, value, _ := strings.Cut(each, "=")
		words = append(words, name+"="+text.Quoted(value))
	}
	for _, word := range append([]string{j.Program}, j.Args...) {
		words = append(words, text.Quoted(word))
	}
	return j.When.cron() + " " + strings.ReplaceAll(strings.Join(words, " "), "%", `\%`)
}

// File is one file that a scheduler reads.
type File struct {
	Path    string `json:"path"`
	Content string `json:"-"`
}

func fileIn(dir, name, content string) File {
	return File{Path: filepath.Join(dir, name), Content: content}
}
