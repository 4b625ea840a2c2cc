package schedule

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"sandkeeper/internal/disk"
)

// Plan says which files Install would write. Under cron there are none.
func (h Host) Plan(m Manager, jobs []Job) ([]File, error) {
	if m == Cron {
		return nil, nil
	}
	dir, err := h.dir(m)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, job := range jobs {
		if m == Systemd {
			files = append(files, job.units(dir)...)
		} else {
			files = append(files, job.plist(dir, h.log()))
		}
	}

	return files, nil
}

// log is where launchd, which has no journal, writes what a job prints.
func (h Host) log() string {
	if h.System {
		return "/Library/Logs/sandkeeper.log"
	}
	return filepath.Join(h.Env.Home(), "Library", "Logs", "sandkeeper.log")
}

// Install writes the files of jobs and starts their timers. A file of that name that is not ours is an error that wraps
// ErrForeign, and then nothing is written. What the manager refuses is taken back.
func (h Host) Install(ctx context.Context, m Manager, jobs []Job) ([]File, error) {
	files, err := h.Plan(m, jobs)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	r, err := prepare(files)
	if err != nil {
		return nil, err
	}
	err = r.write()
	if err == nil {
		err = h.start(ctx, m, jobs, files)
	}
	if err == nil {
		return files, nil
	}
	undone := r.undo()
	if m == Systemd {
		_, reload := h.systemctl(ctx, "daemon-reload")
		undone = errors.Join(undone, reload)
	}
	if undone != nil {
		return nil, fmt.Errorf("%w; what was written is not all taken back: %w", err, undone)
	}
	return nil, fmt.Errorf("%w; what was written is taken back", err)
}

func (h Host) start(ctx context.Context, m Manager, jobs []Job, files []File) error {
	if m == Launchd {
		for _, file := range files {
			_, _ = h.run(ctx, "launchctl", "bootout", h.domain(), file.Path) // what is not loaded need not be unloaded
			if _, err := h.run(ctx, "launchctl", "bootstrap", h.domain(), file.Path); err != nil {
				return err
			}
		}
		return nil
	}

	if _, err := h.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	for _, job := range jobs {
		timer := job.Name + ".timer"
		if _, err := h.systemctl(ctx, "enable", timer); err != nil {
			return err
		}
		if _, err := h.systemctl(ctx, "restart", timer); err != nil { // a timer that runs already keeps its old time otherwise
			return err
		}
	}
	return nil
}

// domain is where launchd keeps the jobs (launchctl(1)).
func (h Host) domain() string {
	if h.System {
		return "system"
	}
	return "gui/" + strconv.Itoa(h.UID)
}

// Remove stops the timers of the jobs of these names and removes their files, as far as they are ours. left are the
// files that are not.
func (h Host) Remove(ctx context.Context, m Manager, names []string) (removed []string, left []error, err error) {
	if m == Cron {
		return nil, nil, nil
	}
	files, err := h.Plan(m, jobsNamed(names))
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		content, foreign := old(file.Path)
		if foreign != nil {
			left = append(left, foreign)
		}
		if content == nil {
			continue
		}
		if err := h.stop(ctx, m, file); err != nil {
			return removed, left, err
		}
		if err := disk.IgnoreMissing(os.Remove(file.Path)); err != nil {
			return removed, left, err
		}
		removed = append(removed, file.Path)
	}

	if m == Systemd && len(removed) > 0 {
		_, err = h.systemctl(ctx, "daemon-reload")
	}
	return removed, left, err
}

// stop ends what a file has started. A service that runs is let run: it is a backup.
func (h Host) stop(ctx context.Context, m Manager, file File) error {
	switch {
	case m == Launchd:
		_, _ = h.run(ctx, "launchctl", "bootout", h.domain(), file.Path) // what is not loaded need not be unloaded
	case filepath.Ext(file.Path) == ".timer":
		_, err := h.systemctl(ctx, "disable", "--now", filepath.Base(file.Path))
		return err
	}
	return nil
}

func jobsNamed(names []string) []Job {
	var jobs []Job
	for _, name := range names {
		jobs = append(jobs, Job{Name: name})
	}
	return jobs
}
