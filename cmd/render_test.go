package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/restore"
	"sandkeeper/backup/store"
	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/survey"
	"sandkeeper/upgrade/classify"
)

// The last lines are those that installers grep (docs/design.md 4.3); names from outside cannot colour them or add to
// them.
func TestRenderBackupAll(t *testing.T) {
	mixed := backup.Summary{
		Root: "/b", Totals: backup.Totals{Total: 3, Registered: 2, BackedUp: 1, Failed: 1, Orphaned: 1},
		Sandboxes: []backup.Outcome{
			{Name: "alpha", Status: store.BackedUp, Backup: &store.Saved{ID: "id1", Bytes: 1500, Files: 2, Content: 3_200_000, Consistency: "paused"}, Warnings: []string{"it grew"}},
			{Name: "be\x1b[31mta", Status: store.Failed, Reason: "no room\non the disk"},
			{Name: "old", Status: store.Orphaned, Reason: "in no list"},
		},
		Warnings: []string{"gateway \"g\" is unverified"},
	}
	for name, tc := range map[string]struct {
		summary backup.Summary
		empty   bool
		err     error
		want    string
	}{
		"nothing registered": {empty: true, want: "No sandboxes registered. Nothing to back up.\n"},
		"refused before":     {err: fmt.Errorf("drift"), want: ""},
		"mixed": {summary: mixed, err: fmt.Errorf("partial"), want: `  backed_up  alpha      paused, 2 files, 3.2 MB read, 1.5 kB on disk, id id1; it grew
  failed     be�[31mta  no room on the disk
  orphaned   old        in no list
warning: gateway "g" is unverified
1 recorded sandbox(es) were not found on their recorded gateway: old.
Their gateway registration or container may have been removed; restore brings back what was saved of them: sandkeeper backups list
Pre-upgrade backup: 1 backed up, 1 failed, 0 skipped
Backups stored in: /b
`},
		"unchanged": {summary: backup.Summary{
			Root: "/b", Totals: backup.Totals{Total: 1, BackedUp: 1},
			Sandboxes: []backup.Outcome{{Name: "a", Status: store.BackedUp, Backup: &store.Saved{ID: "id2", ContentOf: "id1", Bytes: 1500, Files: 2, Content: 3_200_000, Consistency: "stopped"}}},
		}, want: "  backed_up  a  stopped, 2 files, 3.2 MB unchanged since backup id1, 1.5 kB on disk, id id2\nPre-upgrade backup: 1 backed up, 0 failed, 0 skipped\nBackups stored in: /b\n"},
		"dry": {summary: backup.Summary{
			Root: "/b", DryRun: true, Totals: backup.Totals{Total: 1, Skipped: 1, Planned: 1},
			Sandboxes: []backup.Outcome{{Name: "a", Status: store.Skipped, Reason: "dry run", Planned: true}},
		}, want: "  skipped  a  dry run\nDry run: 1 sandbox would be backed up to /b. Nothing was written.\n"},
	} {
		term, out := screen()
		renderBackupAll(term, &backedUp{Summary: tc.summary, empty: tc.empty}, tc.err)
		if diff := cmp.Diff(tc.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRenderOmittedIsBounded(t *testing.T) {
	for have, want := range map[int]int{0: 0, 1: 1, omittedShown: omittedShown, omittedShown + 5: omittedShown + 1} {
		o := backup.Outcome{Name: "alpha"}
		for n := range have {
			o.Omitted = append(o.Omitted, archive.Exclusion{Path: fmt.Sprintf("key%d", n), Reason: "a credential"})
		}
		term, out := screen()
		renderOmitted(term, backup.Summary{Sandboxes: []backup.Outcome{o}})
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%d left out: %d lines, want %d", have, got, want)
		}
		if have > omittedShown && !strings.Contains(out.String(), "5 more, see: sandkeeper backups show alpha") {
			t.Errorf("the rest is not told:\n%s", out)
		}
	}
}

func TestRenderReportPutsTheVerdictLast(t *testing.T) {
	term, out := screen()
	renderReport(term, survey.Gateway{Report: preflight.Report{
		Gateway: "nemoclaw", Verdict: drift.Refuse,
		Checks: []preflight.Result{
			{Code: "cli-version", Status: preflight.Pass, Detail: "0.0.37"},
			{Code: "schema", Status: preflight.Fail, Detail: "0.0.36 serves", Fix: "nemoclaw onboard --resume"},
			{Code: "space", Status: preflight.Skip, Detail: "schema did not pass"},
		},
		Warnings: []string{"the file will drift on the next restart"},
	}}, nil)
	const want = `  ok    cli-version  0.0.37
  FAIL  schema       0.0.36 serves
  skip  space        schema did not pass
  fix schema: nemoclaw onboard --resume
warning: the file will drift on the next restart
verdict for gateway "nemoclaw": refuse
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Worst first, whatever the order they were looked at in.
func TestRenderCheckWorstFirst(t *testing.T) {
	one := func(name string, state classify.State, reasons ...classify.Reason) classify.Checked {
		return classify.Checked{Name: name, State: state, Running: state == classify.Current, Reasons: reasons}
	}
	term, out := screen()
	renderCheck(term, classify.Summary{
		Totals: classify.Totals{Current: 1, Stale: 1, Unknown: 1, Orphaned: 1},
		Sandboxes: []classify.Checked{
			one("a", classify.Current),
			one("b", classify.Stale, classify.Reason{Code: classify.CodeImage, Current: "sha256:1", Expected: "sha256:2"}, classify.Reason{Code: classify.CodeName, Detail: "too long"}),
			one("c", classify.Unknown, classify.Reason{Code: classify.CodeSupervisor, Expected: "0.0.37", Detail: "it is stopped"}),
			one("d", classify.Orphaned),
		},
	})
	const want = `  orphaned  d  stopped
  unknown   c  stopped  supervisor -, expected 0.0.37 (it is stopped)
  stale     b  stopped  image sha256:1, expected sha256:2; name (too long)
  current   a  running
Upgrade check: 1 current, 1 stale, 1 unknown, 1 orphaned
Nothing was changed. To rebuild the stale ones: sandkeeper upgrade-sandboxes
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	term, out = screen()
	renderCheck(term, classify.Summary{})
	if got := out.String(); got != "No sandboxes found. Nothing to upgrade.\n" {
		t.Errorf("nobody: %q", got)
	}
}

func TestRenderRestoreClaimsOnlyWhatWasDone(t *testing.T) {
	for name, tc := range map[string]struct {
		summary restore.Summary
		want    string
	}{
		"done": {
			restore.Summary{
				Sandbox: "beta", From: "alpha", Backup: "id1", Done: true, Files: 2, Bytes: 1500, Previous: "id2",
				Missing: []archive.Exclusion{{Path: ".env", Reason: "a credential"}},
			},
			"to be entered again: .env (a credential)\nRestored beta from backup id1: 2 files, 1.5 kB, read back and compared.\nWhat was there before is kept as backup id2.\n",
		},
		"dry": {
			restore.Summary{Sandbox: "beta", From: "alpha", Backup: "id1", DryRun: true, Added: []string{"a"}, Changed: []string{"b"}, Removed: []string{"c", "d"}, Kept: []string{"e"}},
			"would add: a\nwould change: b\nwould remove: c\nwould remove: d\nleft as it is, not whole in the backup: e\n" +
				"Dry run: backup id1 of alpha into beta: 1 to add, 1 to change, 2 to remove. Nothing was changed.\n",
		},
		"broken off": {restore.Summary{Sandbox: "beta", Backup: "id1", Warnings: []string{"it stopped half way"}}, "warning: it stopped half way\n"},
	} {
		term, out := screen()
		renderRestore(term, tc.summary)
		if diff := cmp.Diff(tc.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	term, out := screen()
	renderPaths(term, "would add", make([]string, pathsShown+3))
	if got := strings.Count(out.String(), "\n"); got != pathsShown+1 || !strings.Contains(out.String(), "3 more (--json lists all)") {
		t.Errorf("%d lines:\n%s", got, out)
	}
}

func TestRenderReadinessSaysNothingOfAGatewayThatIsNotReady(t *testing.T) {
	dead := gateway.Readiness{State: gateway.HasExited, Gateway: "g", Log: []string{"migration 12 was applied\x1b[0m but is missing"}, LogPath: "/l"}
	term, out := screen()
	renderReadiness(term, dead)
	if got := out.String(); got != "log: migration 12 was applied�[0m but is missing\n" {
		t.Errorf("%q", got)
	}
	if hint := waitHint(dead); !strings.Contains(hint, "sandkeeper diagnose /l") || !strings.Contains(hint, "do not delete") {
		t.Errorf("hint %q", hint)
	}
	if hint := waitHint(gateway.Readiness{State: gateway.HasExited}); strings.Contains(hint, "diagnose") {
		t.Errorf("without a log the hint names one: %q", hint)
	}
	term, out = screen()
	renderReadiness(term, gateway.Readiness{Ready: true, Gateway: "g", Version: "0.0.37", JudgedBy: "its process and its answers", WaitedMs: 61_000})
	if got := out.String(); got != "judged by its process and its answers\ngateway \"g\" at - is ready: version 0.0.37, after 1m\n" {
		t.Errorf("%q", got)
	}
}

func TestRenderVerifyAndVerified(t *testing.T) {
	term, out := screen()
	renderVerify(term, verifyResult{Root: "/b", Checked: 5, Damaged: 1, Unread: 1, Backups: []verified{
		{Sandbox: "a", ID: "1", OK: true},
		{Sandbox: "a", ID: "2", OK: true, ReadData: true, Decrypted: true},
		{Sandbox: "a", ID: "3", OK: true, ReadData: true},
		{Sandbox: "b", ID: "4", Kind: "frame", Detail: "frame 3 is torn"},
		{Sandbox: "b", ID: "5", Detail: "the server cannot now"},
	}})
	const want = `ok       a 1: structure; add --read-data to read every byte
ok       a 2: every byte
ok       a 3: every byte as it lies encrypted; what is in it only --identity FILE proves
damaged  b 4: frame 3 is torn
unread   b 5: the server cannot now
4 backups verified, 1 damaged, 1 that could not be read to the end, in /b
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	for want, l := range map[string]listed{
		"DAMAGED": {Damage: "torn", Verified: &store.Verified{At: yesterday}}, "no": {},
		"structure, 25h ago": {Verified: &store.Verified{At: yesterday}}, "every byte, 25h ago": {Verified: &store.Verified{At: yesterday, ReadData: true}},
	} {
		if got := l.verified(); got != want {
			t.Errorf("verified() = %q, want %q", got, want)
		}
	}
}

// A dry run that would save some and not others is partial, as the run would be.
func TestOutcomeOfADryRun(t *testing.T) {
	o := &backupAllOptions{strict: true}
	some := backup.Summary{DryRun: true, Totals: backup.Totals{Total: 3, Planned: 2, Skipped: 2, Failed: 1}}
	if f := failureOf(o.outcome(some)); f == nil || f.Code != ExitPartial || !strings.Contains(f.Error(), "1 of 3 sandboxes would not be") {
		t.Errorf("one of three: %+v", f)
	}
	none := backup.Summary{DryRun: true, Totals: backup.Totals{Total: 1, Failed: 1}}
	if f := failureOf(o.outcome(none)); f == nil || f.Code != ExitRefused {
		t.Errorf("none: %+v", f)
	}
	all := backup.Summary{DryRun: true, Totals: backup.Totals{Total: 2, Planned: 2, Skipped: 2}}
	if err := o.outcome(all); err != nil {
		t.Errorf("all: %v", err)
	}
}

func TestDiagnosisNamesCommandsOfTheHost(t *testing.T) {
	actions := []string{"sandkeeper preflight", "openshell status", "openshell-gateway --version"}
	seen := gateway.Observation{Host: gateway.Host{CallOpenShell: "/opt/openshell"}}
	if diff := cmp.Diff([]string{"sandkeeper preflight", "/opt/openshell status"}, onHost(actions, seen)); diff != "" {
		t.Error(diff)
	}
	seen.File.Path = "/opt/openshell-gateway"
	if got := onHost(actions, seen); len(got) != 3 || got[2] != "/opt/openshell-gateway --version" {
		t.Errorf("with a gateway: %q", got)
	}
}

// A gateway that the CLI does not know may run; who is told that it is unreachable starts a second one.
func TestUnansweredSaysWhy(t *testing.T) {
	tooLate := &openshell.ListingError{Op: "status", TimedOut: true}
	for kind, served := range map[string]gateway.Served{
		"gateway_not_registered": {Status: "not_configured"},
		"gateway_unreachable":    {Err: tooLate},
		"tls_trust":              {Err: &openshell.ListingError{Op: "status", Exit: 1, Output: "Error: failed to read TLS CA from /h/mtls/ca.crt"}},
		"tls_client_cert":        {Err: &openshell.ListingError{Op: "status", Exit: 1, Output: "Error: failed to read TLS key from /h/mtls/tls.key"}},
	} {
		if f := unanswered(gateway.Observation{CLI: gateway.CLI{Path: "/usr/bin/openshell"}, Served: served}); f.Kind != kind || f.Code != ExitUnreachable || f.Hint == "" {
			t.Errorf("want %s: %+v", kind, f)
		}
	}
}
