package cmd

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/ui"
	"sandkeeper/sandbox"
	"sandkeeper/upgrade"
)

// unfinished plants what a killed upgrade leaves in the journal.
func (h *madeUpHost) unfinished(name string, step upgrade.Step) {
	h.t.Helper()
	j, err := upgrade.OpenJournal(filepath.Join(h.home, ".local/state/sandkeeper"), time.Now)
	if err != nil {
		h.t.Fatal(err)
	}
	defer j.Close()
	if err := j.Enter(&upgrade.Entry{Name: name, Gateway: "gw"}, step); err != nil {
		h.t.Fatal(err)
	}
}

func TestAPlainRunRefusesWhatIsUnfinished(t *testing.T) {
	h := newHost(t)
	h.unfinished("alpha", upgrade.StepCreating)
	code, _, stderr := h.run("upgrade-sandboxes", "--yes", "--only", "alpha")
	if code != ExitRefused {
		t.Errorf("exit %d, want %d", code, ExitRefused)
	}
	for _, want := range []string{`"alpha" at creating`, "sandkeeper upgrade-sandboxes --resume", "sandkeeper upgrade-sandboxes --rollback"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr does not say %q:\n%s", want, stderr)
		}
	}
}

func TestWhatWasNeverTouchedIsNotUnfinished(t *testing.T) {
	h := newHost(t)
	h.unfinished("alpha", upgrade.StepPreconditions)
	if _, _, stderr := h.run("upgrade-sandboxes", "--yes"); strings.Contains(stderr, "not finished") {
		t.Errorf("stderr: %s", stderr)
	}
}

// TestCtrlCEndsTheQuestion: nobody answers it, and nothing ends the reading of a terminal.
func TestCtrlCEndsTheQuestion(t *testing.T) {
	never, typed := io.Pipe()
	defer typed.Close()
	var asked bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	said := &onWrite{to: &asked, do: cancel}
	o := &upgradeOptions{app: newApp(nil, &ui.Streams{In: never, Err: said, InTTY: true, ErrTTY: true})}
	if err := o.confirm(ctx, "Delete it?"); codeOf(err) != ExitInterrupted {
		t.Errorf("confirm = %v, want exit %d", err, ExitInterrupted)
	}
	for _, answer := range []string{"y\n", "n\n"} {
		o.app = newApp(nil, &ui.Streams{In: strings.NewReader(answer), Err: io.Discard, InTTY: true, ErrTTY: true})
		if err := o.confirm(t.Context(), "Delete it?"); (err == nil) != (answer == "y\n") {
			t.Errorf("the answer was %q: %v", answer, err)
		}
	}
}

// onWrite does something when the first line was written.
type onWrite struct {
	to io.Writer
	do func()
}

func (w *onWrite) Write(p []byte) (int, error) {
	defer w.do()
	return w.to.Write(p)
}

// TestASandboxThatIsNamedTwiceIsOne: its second turn would find another sandbox than was planned for.
func TestASandboxThatIsNamedTwiceIsOne(t *testing.T) {
	all := []sandbox.Sandbox{{Name: "alpha", Gateway: "a"}, {Name: "alpha", Gateway: "b"}, {Name: "beta", Gateway: "a"}}
	got, err := onlyThese(all, []string{"alpha", "beta", "alpha", "left"}, func(name string) bool { return name == "left" })
	if diff := cmp.Diff(all, got); err != nil || diff != "" {
		t.Errorf("onlyThese: %v (-want +got)\n%s", err, diff)
	}
	if _, err := onlyThese(all, []string{"gamma"}, func(string) bool { return false }); codeOf(err) != ExitNotFound || !strings.Contains(failureOf(err).Hint, "--check") {
		t.Errorf("onlyThese of an unknown name = %+v", failureOf(err))
	}
}

// TestNothingLeftIsSaidOnlyWhereItIsSo: of a journal that could be read.
func TestNothingLeftIsSaidOnlyWhereItIsSo(t *testing.T) {
	for _, flag := range []string{"--resume", "--rollback"} {
		h := newHost(t)
		if code, stdout, _ := h.run("upgrade-sandboxes", flag); code != ExitOK || stdout != "Nothing is unfinished.\n" {
			t.Errorf("%s without a journal: exit %d, %q", flag, code, stdout)
		}
		h.unfinished("alpha", upgrade.StepPlanned)
		if err := os.WriteFile(h.records(t)[0], []byte("not a journal"), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := h.run("upgrade-sandboxes", flag); code != ExitRefused || stdout != "" || !strings.Contains(stderr, "damaged") {
			t.Errorf("%s over a damaged journal: exit %d, %q, %s", flag, code, stdout, stderr)
		}
		if code, stdout, _ := h.run("upgrade-sandboxes", flag, "--json"); code != ExitRefused || !strings.Contains(stdout, `"result": null`) {
			t.Errorf("%s --json over a damaged journal: exit %d, %s", flag, code, stdout)
		}
	}
}

// records are the files of the upgrade journal.
func (h *madeUpHost) records(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(h.home, ".local/state/sandkeeper", upgrade.JournalName, "*.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the upgrade journal has %v, %v", found, err)
	}
	return found
}

// unread is the variable that makes this test binary the run whose standard error nobody reads.
const unread = "SANDKEEPER_TEST_UNREAD"

// TestARunOutlivesItsReaders: `2>&1 | head` must not end a run that has a sandbox in hand. The looks of --check may end like any filter.
func TestARunOutlivesItsReaders(t *testing.T) {
	if os.Getenv(unread) != "" {
		o := &upgradeOptions{app: newApp(nil, &ui.Streams{}), resume: true, readyLimit: 1, capture: captureOptions{stallLimit: 1}}
		_, err := runUpgrade(t.Context(), o)
		for range 3 {
			_, _ = os.Stderr.WriteString("alpha: deleting\n")
		}
		if err != nil {
			os.Exit(8)
		}
		os.Exit(7)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestARunOutlivesItsReaders$")
	child.Env = append(os.Environ(), unread+"=1")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = write
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	_ = write.Close()
	_ = child.Wait()
	if child.ProcessState.ExitCode() != 7 {
		t.Errorf("it ended with %v, want exit status 7", child.ProcessState)
	}
}

func TestAnotherUpgradeIsALock(t *testing.T) {
	h := newHost(t)
	j, err := upgrade.OpenJournal(filepath.Join(h.home, ".local/state/sandkeeper"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Enter(&upgrade.Entry{Name: "alpha", Gateway: "gw"}, upgrade.StepDeleting); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"upgrade-sandboxes", "--yes", "--only", "alpha"}, {"upgrade-sandboxes", "--resume"}, {"upgrade-sandboxes", "--rollback"}} {
		if code, stdout, stderr := h.run(args...); code != ExitLocked || !strings.Contains(stderr, "another upgrade is running") {
			t.Errorf("%q: exit %d, %s%s, want %d", args, code, stdout, stderr, ExitLocked)
		}
	}
}

func TestWhatTheTotalsOfAnUpgradeMean(t *testing.T) {
	up, failed, back := upgrade.Outcome{Outcome: upgrade.Upgraded}, upgrade.Outcome{Outcome: upgrade.Failed}, upgrade.Outcome{Outcome: upgrade.RolledBack}
	skipped, current := upgrade.Outcome{Outcome: upgrade.Skipped}, upgrade.Outcome{Outcome: upgrade.UpToDate}
	waits := upgrade.Outcome{Outcome: upgrade.Failed, Busy: true}
	cases := []struct {
		outcomes []upgrade.Outcome
		rollback bool
		want     ExitCode
	}{
		{nil, false, ExitOK},
		{[]upgrade.Outcome{up, skipped, current}, false, ExitOK},
		{[]upgrade.Outcome{current}, false, ExitOK},
		{[]upgrade.Outcome{up, failed}, false, ExitPartial},
		{[]upgrade.Outcome{up, back}, false, ExitPartial},
		{[]upgrade.Outcome{failed, current}, false, ExitRefused},
		{[]upgrade.Outcome{back}, false, ExitRefused},
		{[]upgrade.Outcome{back}, true, ExitOK},
		{[]upgrade.Outcome{back, failed}, true, ExitPartial},
		{[]upgrade.Outcome{failed}, true, ExitRefused},
		{[]upgrade.Outcome{waits, current}, false, ExitLocked},
		{[]upgrade.Outcome{waits, failed}, false, ExitRefused},
		{[]upgrade.Outcome{waits, up}, false, ExitPartial},
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range cases {
		o := &upgradeOptions{app: newApp(nil, &ui.Streams{}), rollback: c.rollback}
		if _, err := o.answered(&answer{}, c.outcomes); codeOf(err) != c.want {
			t.Errorf("%+v (rollback %v): exit %d, want %d", c.outcomes, c.rollback, codeOf(err), c.want)
		}
		want := c.want
		if want != ExitOK {
			want = ExitInterrupted
		}
		if _, err := o.ended(ended, &answer{}, c.outcomes); codeOf(err) != want {
			t.Errorf("%+v, interrupted: exit %d, want %d", c.outcomes, codeOf(err), want)
		}
	}
}

func codeOf(err error) ExitCode {
	if f := failureOf(err); f != nil {
		return f.Code
	}
	return ExitOK
}

func TestTheQuestionNamesWhatIsLost(t *testing.T) {
	o := &upgradeOptions{app: newApp(nil, &ui.Streams{})}
	got := o.question([]*upgrade.Entry{
		{Name: "alpha", Image: "img:2", Running: true, Warnings: []string{"whether x was not looked at"}},
		{Name: "beta", Way: upgrade.ByNemoClaw},
		{Name: "gamma"},
		{Name: "delta", Image: "r.example/img:3", Pull: "sha256:aa"},
	})
	for _, want := range []string{
		"4 sandboxes will be", "delta: stopped, and left so; from r.example/img:3, which is not on this host and is pulled first (sha256:aa)", "alpha: running; from img:2", "note: whether x", "beta: stopped, and left so; by nemoclaw beta rebuild --yes", "gateway's default image",
		"outside of a sandbox's home", "running processes end",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the question does not say %q:\n%s", want, got)
		}
	}
	unfinished := o.questionUnfinished([]*upgrade.Entry{{Name: "alpha", Step: upgrade.StepRestored}, {Name: "beta", Step: upgrade.StepProving}})
	if !strings.Contains(unfinished, `"alpha" was left at restored: it will be finished`) || !strings.Contains(unfinished, `"beta" was left at proving: it will be taken back`) {
		t.Errorf("the question about what is unfinished: %s", unfinished)
	}
}

func TestNobodyToAskIsNeverYes(t *testing.T) {
	h := newHost(t)
	h.unfinished("alpha", upgrade.StepCreating)
	before, _ := os.ReadFile(h.records(t)[0])
	code, stdout, stderr := h.run("upgrade-sandboxes", "--rollback", "--allow-unverified")
	if code == ExitOK {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	after, _ := os.ReadFile(h.records(t)[0])
	if len(before) == 0 || !bytes.Equal(before, after) {
		t.Errorf("the journal had %d bytes, has %d", len(before), len(after))
	}
	o := &upgradeOptions{app: newApp(nil, &ui.Streams{})}
	if f := failureOf(o.confirm(t.Context(), "Delete it?")); f == nil || f.Code != ExitUsage || !strings.Contains(f.Hint, "--yes") {
		t.Errorf("confirm without a terminal = %+v, want exit 2 that names --yes", f)
	}
}
