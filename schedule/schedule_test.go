package schedule

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/env"
)

func job(when When) Job {
	return Job{
		Name: "sandkeeper-backup", Description: "Back up every OpenShell sandbox", Program: "/opt/sand keeper/sandkeeper", When: when,
		Args:        []string{"backup-all", "--label", `50% of "$HOME" \ it's`},
		Environment: []string{"HOME=/home/op", `PATH=/usr/bin:/home/op/my bin`},
	}
}

func often(t *testing.T, text string) When {
	t.Helper()
	when, err := Often(text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func daily(t *testing.T, text string) When {
	t.Helper()
	when, err := Daily(text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// Every word arrives as it was written, whatever systemd, cron or XML make of dollars, percents and quotes.
func TestWordsAreQuoted(t *testing.T) {
	j := job(daily(t, "02:30"))
	service := j.units("/units")[0].Content
	for _, want := range []string{
		`ExecStart="/opt/sand keeper/sandkeeper" "backup-all" "--label" "50%% of \"$$HOME\" \\ it's"` + "\n",
		`Environment="PATH=/usr/bin:/home/op/my bin"` + "\n",
	} {
		if !strings.Contains(service, want) {
			t.Errorf("missing %s in\n%s", want, service)
		}
	}
	line := `30 2 * * * HOME=/home/op PATH='/usr/bin:/home/op/my bin' '/opt/sand keeper/sandkeeper' backup-all --label '50\% of "$HOME" \ it'\''s'`
	if got := j.CronLine(); got != line {
		t.Errorf("cron\n got %s\nwant %s", got, line)
	}
	out, err := exec.Command("/bin/sh", "-c", "printf '%s|' "+strings.ReplaceAll(strings.SplitN(line, "sandkeeper' ", 2)[1], `\%`, "%")).Output()
	if want := strings.Join(j.Args, "|") + "|"; err != nil || string(out) != want {
		t.Errorf("sh reads %q, %v", out, err)
	}
	plist := j.plist("/agents", "/log").Content
	if !strings.Contains(plist, "<string>50% of &#34;$HOME&#34; \\ it&#39;s</string>") || !strings.Contains(plist, "<key>Hour</key><integer>2</integer><key>Minute</key><integer>30</integer>") {
		t.Errorf("plist:\n%s", plist)
	}
}

// A reader of property lists that is not ours reads the job for launchd as it was meant.
func TestAPropertyListReaderReadsTheJob(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: no python3 on this machine")
	}
	for when, want := range map[When]string{
		daily(t, "02:30"):                  "{'Hour': 2, 'Minute': 30} None",
		{Hour: 4, Minute: 5, Weekly: true}: "{'Weekday': 0, 'Hour': 4, 'Minute': 5} None",
		often(t, "30m"):                    "None 1800",
	} {
		j := job(when)
		read := exec.Command(python, "-c", `import plistlib, sys
p = plistlib.loads(sys.stdin.buffer.read())
print("|".join(p["ProgramArguments"]), p["EnvironmentVariables"]["PATH"], p["Label"], p["StandardOutPath"], p["LowPriorityIO"])
print(p.get("StartCalendarInterval"), p.get("StartInterval"))`)
		read.Stdin = strings.NewReader(j.plist("/agents", "/a log").Content)
		out, err := read.CombinedOutput()
		words := strings.Join(append([]string{j.Program}, j.Args...), "|") + " /usr/bin:/home/op/my bin local.sandkeeper-backup /a log True\n" + want + "\n"
		if err != nil || string(out) != words {
			t.Errorf("got %s, %v\nwant %s", out, err, words)
		}
	}
}

// systemd itself finds nothing wrong with the units, and reads the calendar as it was meant.
func TestSystemdReadsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
	for _, when := range []When{daily(t, "00:05"), daily(t, "23:59"), {Hour: 4, Weekly: true}, often(t, "10m"), often(t, "1h"), often(t, "12h")} {
		dir := t.TempDir()
		j := job(when)
		j.Program = "/bin/true"
		for _, file := range j.units(dir) {
			if err := publish(file.Path, []byte(file.Content)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", filepath.Join(dir, "sandkeeper-backup.timer"), filepath.Join(dir, "sandkeeper-backup.service")).CombinedOutput()
		if err != nil || strings.Contains(string(out), dir) {
			t.Errorf("%s: %v\n%s", when.Words(), err, out)
		}
		if out, err := exec.Command(analyze, "calendar", when.calendar()).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", when.calendar(), err, out)
		}
	}
}

func TestWhen(t *testing.T) {
	for _, tc := range []struct {
		when                  When
		calendar, cron, words string
	}{
		{daily(t, "02:30"), "*-*-* 02:30:00", "30 2 * * *", "every day at 02:30"},
		{When{Hour: 4, Minute: 15, Weekly: true}, "Sun *-*-* 04:15:00", "15 4 * * 0", "every Sunday at 04:15"},
		{often(t, "30m"), "*-*-* *:00/30:00", "*/30 * * * *", "every 30 minutes"},
		{often(t, "1h"), "*-*-* 00/1:00:00", "0 * * * *", "every 1 hour"},
		{often(t, "6h"), "*-*-* 00/6:00:00", "0 */6 * * *", "every 6 hours"},
	} {
		if tc.when.calendar() != tc.calendar || tc.when.cron() != tc.cron || tc.when.Words() != tc.words {
			t.Errorf("got %q %q %q, want %q %q %q", tc.when.calendar(), tc.when.cron(), tc.when.Words(), tc.calendar, tc.cron, tc.words)
		}
	}
	for _, text := range []string{"", "24:00", "2am", "02:60"} {
		if _, err := Daily(text); err == nil {
			t.Errorf("%q is a time of the day", text)
		}
	}
	if _, err := Often("7m"); err == nil {
		t.Error("7m does not divide an hour")
	}
}

// standIn is a systemctl that notes its arguments and, where the file "refuse" holds one of them, refuses.
func standIn(t *testing.T) (h Host, dir string) {
	t.Helper()
	dir = t.TempDir()
	script := "#!/bin/sh\necho \"$@\" >>" + dir + "/calls\ncase \"$*\" in *Version*) echo Version=252;; esac\n[ ! -e " + dir + "/refuse ] || case \"$*\" in *$(cat " + dir + "/refuse)*) echo no >&2; exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	h = Host{Env: env.Parse([]string{"HOME=" + dir, "PATH=" + dir + ":/usr/bin:/bin"}), UID: os.Geteuid(), OS: "linux", LingerDir: dir}
	return h, dir
}

// What systemd refuses is taken back: the units that were there before are there again, and new ones are gone.
func TestRefusedInstallationIsTakenBack(t *testing.T) {
	h, dir := standIn(t)
	units := filepath.Join(dir, ".config/systemd/user")
	for _, before := range []bool{false, true} {
		if before {
			if _, err := h.Install(t.Context(), Systemd, []Job{job(daily(t, "01:00"))}); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "refuse"), []byte("enable"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Install(t.Context(), Systemd, []Job{job(daily(t, "05:00"))}); err == nil || !strings.Contains(err.Error(), "no; what was written is taken back") {
			t.Errorf("got %v", err)
		}
		if err := os.Remove(filepath.Join(dir, "refuse")); err != nil {
			t.Fatal(err)
		}
		timer, err := os.ReadFile(filepath.Join(units, "sandkeeper-backup.timer"))
		if before != (err == nil) || before && !strings.Contains(string(timer), "01:00:00") {
			t.Errorf("before: %v, now %q, %v", before, timer, err)
		}
	}
}

// Files that are not ours, and masked units, are neither replaced nor removed, and nothing is half done beside them.
func TestForeignFilesAreLeft(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"written by hand": func(path string) error { return os.WriteFile(path, []byte("[Unit]\n"), 0o600) },
		"masked":          func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		t.Run(name, func(t *testing.T) {
			h, dir := standIn(t)
			units := filepath.Join(dir, ".config/systemd/user")
			if err := errors.Join(os.MkdirAll(units, 0o700), make(filepath.Join(units, "sandkeeper-backup.timer"))); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Install(t.Context(), Systemd, []Job{job(daily(t, "05:00"))}); !errors.Is(err, ErrForeign) {
				t.Errorf("got %v", err)
			}
			removed, left, err := h.Remove(t.Context(), Systemd, []string{"sandkeeper-backup"})
			entries, _ := os.ReadDir(units)
			if err != nil || len(removed) != 0 || len(left) != 1 || len(entries) != 1 {
				t.Errorf("removed %v, left %v, %v; there is %v", removed, left, err, entries)
			}
			if calls, _ := os.ReadFile(filepath.Join(dir, "calls")); len(calls) > 0 {
				t.Errorf("systemd was told: %s", calls)
			}
		})
	}
}
