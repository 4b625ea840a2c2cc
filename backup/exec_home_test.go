package backup

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
	"sandkeeper/openshell"
)

func TestExecCaptureReadsTheHome(t *testing.T) {
	f := &backuptest.Folder{Dir: t.TempDir()}
	backuptest.Write(t, f.Dir, map[string]string{"a": "1", "empty": "", "dir/": "", "l": "->/etc/passwd", "odd\nname": "2"})
	r := &Options{Store: storetest.NewStore(t, store.Options{}), CLI: f}
	summary, err := r.All(t.Context(), backuptest.InventoryOf(backuptest.ByExec("alpha")))
	if err != nil || summary.Totals.BackedUp != 1 {
		t.Fatalf("%+v, %v", summary, err)
	}
	b, err := r.Store.Find("alpha", store.Latest)
	if err != nil || b.Manifest.Consistency != archive.ConsistencyLive || b.Manifest.Gateway != "gw" || b.Manifest.Home != "/sandbox" {
		t.Fatalf("%+v, %v", b.Manifest, err)
	}
	bodies := map[string]string{}
	for _, e := range storetest.ContentOf(t, r.Store, b) {
		bodies[e.Name] = e.Body + e.Link
	}
	want := map[string]string{".": "", "a": "1", "empty": "", "dir": "", "l": "/etc/passwd", "odd\nname": "2"}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if got := f.Calls[0]; got.Stdin != nil || got.Gateway != "gw" || got.Name != "alpha" {
		t.Errorf("asked %+v", got)
	}
}

func TestExecCaptureJudgesHowTarEnded(t *testing.T) {
	whole := string(backuptest.TarBytes(t, "", backuptest.Entry{Name: "a", Body: "1"}))
	denied := "tar: ./secret: Cannot open: Permission denied\ntar: Exiting with failure status due to previous errors\n"
	unreachable := &openshell.ExecError{Name: "alpha", Unreachable: true, Output: "connection refused"}
	for name, tt := range map[string]struct {
		tar     script
		skip    bool // skip unreachable sandboxes
		status  store.Status
		reason  string
		omitted string
	}{
		"well":             {tar: script{stdout: whole}, status: store.BackedUp},
		"unreadable entry": {tar: script{whole, openshell.ExecResult{Exit: 2, Stderr: denied}, nil}, status: store.BackedUp, omitted: "secret"},
		"changed meanwhile": {
			tar:    script{whole, openshell.ExecResult{Exit: 1, Stderr: "tar: ./log: file changed as we read it\n"}, nil},
			status: store.BackedUp,
		},
		"unknown complaint": {
			tar:    script{whole, openshell.ExecResult{Exit: 2, Stderr: "tar: the sky is falling\n"}, nil},
			status: store.Failed, reason: "the sky is falling",
		},
		"no tar":            {tar: script{"", openshell.ExecResult{Exit: 127, Stderr: "sh: tar: not found\n"}, nil}, status: store.Failed, reason: "not found"},
		"cut":               {tar: script{whole[:700], openshell.ExecResult{}, nil}, status: store.Failed, reason: "broke off"},
		"cut by error":      {tar: script{whole[:700], openshell.ExecResult{}, errors.New("relay lost")}, status: store.Failed, reason: "relay lost"},
		"whole, then error": {tar: script{whole, openshell.ExecResult{}, errors.New("relay lost")}, status: store.Failed, reason: "relay lost"},
		"unreachable":       {tar: script{"", openshell.ExecResult{}, unreachable}, status: store.Failed, reason: "cannot be reached"},
		"may skip":          {tar: script{"", openshell.ExecResult{}, unreachable}, skip: true, status: store.Skipped, reason: "not saved"},
		"may skip, but cut": {tar: script{whole[:700], openshell.ExecResult{}, unreachable}, skip: true, status: store.Failed, reason: "connection refused"},
	} {
		r := &Options{Store: storetest.NewStore(t, store.Options{}), CLI: tt.tar, SkipUnreachable: tt.skip}
		summary, err := r.All(t.Context(), backuptest.InventoryOf(backuptest.ByExec("alpha")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o := summary.Sandboxes[0]
		if o.Status != tt.status || !strings.Contains(o.Reason, tt.reason) || (o.Backup != nil) != (tt.status == store.BackedUp) {
			t.Errorf("%s: %q, %q, backup %v", name, o.Status, o.Reason, o.Backup)
		}
		if tt.omitted != "" && (len(o.Omitted) != 1 || o.Omitted[0].Path != tt.omitted || !strings.Contains(o.Omitted[0].Reason, "permission denied")) {
			t.Errorf("%s: omitted %+v", name, o.Omitted)
		}
		if name == "changed meanwhile" && len(o.Warnings) != 1 {
			t.Errorf("%s: warnings %q", name, o.Warnings)
		}
		if found, _ := r.Store.Backups("alpha"); len(found) != 0 && tt.status != store.BackedUp {
			t.Errorf("%s: left a backup", name)
		}
	}
}

func TestExecCaptureTellsOfAMismatch(t *testing.T) {
	mismatch := &openshell.MismatchError{Op: "sandbox exec", Output: "failed to decode Protobuf message"}
	r := &Options{Store: storetest.NewStore(t, store.Options{}), CLI: script{err: mismatch}, SkipUnreachable: true}
	summary, err := r.All(t.Context(), backuptest.InventoryOf(backuptest.ByExec("alpha"), backuptest.ByExec("beta")))
	if got, ok := errors.AsType[*openshell.MismatchError](err); !ok || got != mismatch {
		t.Errorf("the run's error is %v", err)
	}
	if summary.Totals.Failed != 2 {
		t.Errorf("a decode error is no reason to skip: %+v", summary.Totals)
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
