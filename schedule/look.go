package schedule

import (
	"context"
	"strings"
)

// Seen is one job as it stands on the host.
type Seen struct {
	Name      string `json:"name"`
	Installed bool   `json:"installed"` // its files are there and ours
	Foreign   string `json:"foreign"`   // why a file of that name is not ours; "" when none is
	Active    bool   `json:"active"`    // the manager waits for its next time
	When      string `json:"when"`      // as the manager's file says it
	Next      string `json:"next"`      // in the manager's words; "" when it is not known
	Last      string `json:"last"`
	Result    string `json:"result"` // of the last run, in the manager's words; "" when there was none
	Files     []File `json:"files"`
}

// Look says how the jobs of these names stand. It changes nothing.
func (h Host) Look(ctx context.Context, m Manager, names []string) ([]Seen, error) {
	all := []Seen{}
	for _, name := range names {
		files, err := h.Plan(m, jobsNamed([]string{name}))
		if err != nil {
			return nil, err
		}
		seen := Seen{Name: name, Files: []File{}}
		for _, file := range files {
			content, err := old(file.Path)
			if err != nil {
				seen.Foreign = err.Error()
			}
			if content != nil {
				file.Content = string(content)
				seen.Files = append(seen.Files, file)
				seen.When = valueOf(file.Content, "OnCalendar", seen.When)
			}
		}

		seen.Installed = len(files) > 0 && len(seen.Files) == len(files)
		if m == Systemd {
			h.ask(ctx, &seen)
		} else {
			seen.Active = seen.Installed
		}

		all = append(all, seen)
	}
	return all, nil
}

// ask completes what systemd knows of a job, also of the job that the package brought.
func (h Host) ask(ctx context.Context, seen *Seen) {
	out, err := h.systemctl(ctx, "show", seen.Name+".timer", "--property=ActiveState,NextElapseUSecRealtime,LastTriggerUSec")
	if err != nil {
		return
	}
	seen.Active = valueOf(out, "ActiveState", "") == "active"
	seen.Next, seen.Last = valueOf(out, "NextElapseUSecRealtime", ""), valueOf(out, "LastTriggerUSec", "")
	out, err = h.systemctl(ctx, "show", seen.Name+".service", "--property=Result,ExecMainStatus,ExecMainExitTimestamp")
	if err == nil && valueOf(out, "ExecMainExitTimestamp", "") != "" {
		seen.Last, seen.Result = valueOf(out, "ExecMainExitTimestamp", ""), valueOf(out, "Result", "")+", exit status "+valueOf(out, "ExecMainStatus", "?")
	}
}

// valueOf is what stands behind "name=" at the beginning of a line.
func valueOf(text, name, fallback string) string {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+"="); found {
			return value
		}
	}
	return fallback
}
