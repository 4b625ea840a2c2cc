package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sandkeeper/internal/command"
	"sandkeeper/internal/env"
	"sandkeeper/internal/text"
	"sandkeeper/internal/trust"
)

// Manager is what runs things by the clock on a host.
type Manager string

// The managers.
const (
	Systemd Manager = "systemd"
	Launchd Manager = "launchd"
	Cron    Manager = "cron" // or whatever takes a crontab's line: nothing is installed there
)

// limit is how long the manager's own command may take.
const limit = 30 * time.Second

// Host is where jobs are installed.
type Host struct {
	Env    env.Env
	UID    int
	System bool // for the whole machine, as root; else for the user

	OS        string // runtime.GOOS, unless a test says otherwise
	SystemDir string // "": where the manager reads units of the machine
	LingerDir string // "": /var/lib/systemd/linger
}

func (h Host) os() string {
	if h.OS != "" {
		return h.OS
	}
	return runtime.GOOS
}

// Manager answers on this host; why says what is in the way of a better one than cron.
func (h Host) Manager(ctx context.Context) (found Manager, why string) {
	if h.os() == "darwin" {
		return Launchd, ""
	}
	out, err := h.systemctl(ctx, "show", "--property=Version")
	if err == nil && strings.Contains(out, "Version=") {
		return Systemd, ""
	}
	if err == nil {
		err = errors.New("systemctl shows no version")
	}
	why = err.Error()
	if _, booted := os.Stat("/run/systemd/system"); booted == nil && !h.System { // sd_booted(3)
		_, name := h.Lingers()
		why += fmt.Sprintf("; systemd runs on this host, but not yet for this user: `loginctl enable-linger %s`, log in again and run this again", name)
	}
	return Cron, why
}

// systemctl runs one command of systemd's, for the machine or for the user, and gives what it printed.
func (h Host) systemctl(ctx context.Context, args ...string) (string, error) {
	if !h.System {
		args = append([]string{"--user"}, args...)
	}
	return h.run(ctx, "systemctl", args...)
}

// run runs a program of the PATH that may be trusted.
func (h Host) run(ctx context.Context, name string, args ...string) (string, error) {
	path, file, err := h.find(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	result, err := command.Run(ctx, command.Command{Path: path, File: file, Args: args, Env: h.environment(), Timeout: limit})
	if err == nil && result.Exit != 0 {
		err = fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), cmp.Or(text.OneLine(result.Combined(), 260), fmt.Sprintf("exit status %d", result.Exit)))
	}
	return string(result.Stdout), err
}

func (h Host) find(name string) (string, *os.File, error) {
	var problems error
	for _, dir := range filepath.SplitList(h.Env.Get("PATH")) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue
		}
		file, err := trust.Open(path, h.UID)
		if err == nil {
			return path, file, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			problems = errors.Join(problems, err)
		}
	}

	if problems != nil {
		return "", nil, fmt.Errorf("%s cannot be run: %w", name, problems)
	}
	return "", nil, fmt.Errorf("there is no %s on this host", name)
}

// environment is that of the manager's commands. A user's manager is found by XDG_RUNTIME_DIR, which su and cron do not
// set.
func (h Host) environment() []string {
	e := h.Env
	if e.RuntimeDir() == "" && !h.System {
		e = e.With("XDG_RUNTIME_DIR=/run/user/" + strconv.Itoa(h.UID))
	}
	return e.All()
}

// dir is the folder of the manager's files.
func (h Host) dir(m Manager) (string, error) {
	switch {
	case h.System && h.SystemDir != "":
		return h.SystemDir, nil
	case h.System && m == Systemd:
		return "/etc/systemd/system", nil
	case h.System:
		return "/Library/LaunchDaemons", nil
	case m == Systemd && h.Env.ConfigHome() != "":
		return filepath.Join(h.Env.ConfigHome(), "systemd", "user"), nil
	case m == Launchd && h.Env.Home() != "":
		return filepath.Join(h.Env.Home(), "Library", "LaunchAgents"), nil
	}
	return "", errors.New("there is no home to keep a schedule in (HOME is not set to an absolute path)")
}

// Lingers reports whether a user's timers run while nobody is logged in. systemd-logind keeps a file of the user's name
// for each (loginctl(1), enable-linger). User is the name, for the command that changes it.
func (h Host) Lingers() (lingers bool, name string) {
	name = h.Env.Get("USER")
	if u, err := user.LookupId(strconv.Itoa(h.UID)); err == nil {
		name = u.Username
	}
	dir := h.LingerDir
	if dir == "" {
		dir = "/var/lib/systemd/linger"
	}
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil && name != "", name
}
