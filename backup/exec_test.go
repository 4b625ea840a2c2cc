package backup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/openshell"
)

func TestExecCaptureReadsTheHome(t *testing.T) {
	f := &folder{dir: t.TempDir()}
	write(t, f.dir, map[string]string{"a": "1", "empty": "", "dir/": "", "l": "->/etc/passwd", "odd\nname": "2"})
	r := &Run{Store: newStore(t, StoreOptions{}), CLI: f}
	summary, err := r.All(t.Context(), inventoryOf(byExec("alpha")))
	if err != nil || summary.Totals.BackedUp != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	b, err := r.Store.Find("alpha", Latest)
	if err != nil || b.Manifest.Consistency != ConsistencyLive || b.Manifest.Gateway != "gw" || b.Manifest.Home != "/sandbox" {
		t.Fatalf("%+v, %v", b.Manifest, err)
	}
	bodies := map[string]string{}
	for _, e := range contentOf(t, r.Store, b) {
		bodies[e.name] = e.body + e.link
	}
	want := map[string]string{".": "", "a": "1", "empty": "", "dir": "", "l": "/etc/passwd", "odd\nname": "2"}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got := f.calls[0]; got.Stdin != nil || got.Gateway != "gw" || got.Name != "alpha" {
		t.Errorf("asked %+v", got)
	}
}

// script is a sandbox whose tar is played.
type script struct {
	stdout string
	result openshell.ExecResult
	err    error
}

func (s script) Exec(_ context.Context, r openshell.ExecRequest) (openshell.ExecResult, error) {
	_, _ = io.WriteString(r.Stdout, s.stdout)
	return s.result, s.err
}

func TestExecCaptureJudgesHowTarEnded(t *testing.T) {
	whole := string(tarBytes(t, "", entry{name: "a", body: "1"}))
	denied := "tar: ./secret: Cannot open: Permission denied\ntar: Exiting with failure status due to previous errors\n"
	unreachable := &openshell.ExecError{Name: "alpha", Unreachable: true, Output: "connection refused"}
	for name, tt := range map[string]struct {
		tar     script
		skip    bool // skip unreachable sandboxes
		status  Status
		reason  string
		omitted string
	}{
		"well":             {tar: script{stdout: whole}, status: BackedUp},
		"unreadable entry": {tar: script{whole, openshell.ExecResult{Exit: 2, Stderr: denied}, nil}, status: BackedUp, omitted: "secret"},
		"changed meanwhile": {
			tar:    script{whole, openshell.ExecResult{Exit: 1, Stderr: "tar: ./log: file changed as we read it\n"}, nil},
			status: BackedUp,
		},
		"unknown complaint": {
			tar:    script{whole, openshell.ExecResult{Exit: 2, Stderr: "tar: the sky is falling\n"}, nil},
			status: Failed, reason: "the sky is falling",
		},
		"no tar":            {tar: script{"", openshell.ExecResult{Exit: 127, Stderr: "sh: tar: not found\n"}, nil}, status: Failed, reason: "not found"},
		"cut":               {tar: script{whole[:700], openshell.ExecResult{}, nil}, status: Failed, reason: "broke off"},
		"cut by error":      {tar: script{whole[:700], openshell.ExecResult{}, errors.New("relay lost")}, status: Failed, reason: "relay lost"},
		"whole, then error": {tar: script{whole, openshell.ExecResult{}, errors.New("relay lost")}, status: Failed, reason: "relay lost"},
		"unreachable":       {tar: script{"", openshell.ExecResult{}, unreachable}, status: Failed, reason: "cannot be reached"},
		"may skip":          {tar: script{"", openshell.ExecResult{}, unreachable}, skip: true, status: Skipped, reason: "not saved"},
		"may skip, but cut": {tar: script{whole[:700], openshell.ExecResult{}, unreachable}, skip: true, status: Failed, reason: "connection refused"},
	} {
		r := &Run{Store: newStore(t, StoreOptions{}), CLI: tt.tar, SkipUnreachable: tt.skip}
		summary, err := r.All(t.Context(), inventoryOf(byExec("alpha")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o := summary.Sandboxes[0]
		if o.Status != tt.status || !strings.Contains(o.Reason, tt.reason) || (o.Backup != nil) != (tt.status == BackedUp) {
			t.Errorf("%s: %q, %q, backup %v", name, o.Status, o.Reason, o.Backup)
		}
		if tt.omitted != "" && (len(o.Omitted) != 1 || o.Omitted[0].Path != tt.omitted || !strings.Contains(o.Omitted[0].Reason, "permission denied")) {
			t.Errorf("%s: omitted %+v", name, o.Omitted)
		}
		if name == "changed meanwhile" && len(o.Warnings) != 1 {
			t.Errorf("%s: warnings %q", name, o.Warnings)
		}
		if found, _ := r.Store.Backups("alpha"); len(found) != 0 && tt.status != BackedUp {
			t.Errorf("%s: left a backup", name)
		}
	}
}

func TestExecCaptureTellsOfAMismatch(t *testing.T) {
	mismatch := &openshell.MismatchError{Op: "sandbox exec", Output: "failed to decode Protobuf message"}
	r := &Run{Store: newStore(t, StoreOptions{}), CLI: script{err: mismatch}, SkipUnreachable: true}
	summary, err := r.All(t.Context(), inventoryOf(byExec("alpha"), byExec("beta")))
	if got, ok := errors.AsType[*openshell.MismatchError](err); !ok || got != mismatch {
		t.Errorf("the run's error is %v", err)
	}
	if summary.Totals.Failed != 2 {
		t.Errorf("a decode error is no reason to skip: %+v", summary.Totals)
	}
}

func TestTarComplaints(t *testing.T) {
	for line, want := range map[string]tarReport{
		"tar: ./a b: Cannot open: Permission denied":                                 {unread: []unreadEntry{{"a b", "cannot open: permission denied"}}},
		"/bin/tar: ./d: Cannot stat: Permission denied":                              {unread: []unreadEntry{{"d", "cannot stat: permission denied"}}},
		"tar: ./x: Read error at byte 0, while reading 10 bytes: Input/output error": {unread: []unreadEntry{{"x", "read error at byte 0, while reading 10 bytes: input/output error"}}},
		"tar: ./x: File removed before we read it":                                   {unread: []unreadEntry{{"x", "file removed before we read it"}}},
		"tar: ./s: socket ignored":                                                   {unread: []unreadEntry{{"s", "a socket"}}},
		"tar: ./l: file changed as we read it":                                       {changed: []string{"l"}},
		"tar: can't open './b c': Permission denied":                                 {unread: []unreadEntry{{"b c", "cannot be read: permission denied"}}},
		"tar: Exiting with failure status due to previous errors":                    {},
		"tar: error exit delayed from previous errors":                               {},
		"tar: write error: No space left on device":                                  {other: []string{"tar: write error: No space left on device"}},
		"Segmentation fault":                                                         {other: []string{"Segmentation fault"}},
	} {
		if diff := cmp.Diff(want, readTarComplaints(line+"\n"), cmp.AllowUnexported(tarReport{}, unreadEntry{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func FuzzTarComplaints(f *testing.F) {
	f.Add("tar: ./a: Cannot open: Permission denied\n")
	f.Add("tar: can't open './b': Permission denied\n\ntar: ./l: file changed as we read it")
	f.Fuzz(func(t *testing.T, stderr string) {
		report := readTarComplaints(stderr)
		said := len(report.unread) + len(report.changed) + len(report.other)
		if lines := strings.Count(stderr, "\n") + 1; said > lines {
			t.Errorf("%d findings in %d lines", said, lines)
		}
	})
}
