package restore

import (
	"archive/tar"
	"context"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"

	"github.com/google/go-cmp/cmp"
)

// scrubbed is a backup of a home in which values were replaced, also in a file that has two names and in one whose name is no text.
func scrubbed(t *testing.T, name string) Request {
	t.Helper()
	s := storetest.NewStore(t, store.Options{})
	b, err := s.Create(t.Context(), storetest.LeastBackup(name), func(_ context.Context, a *archive.Archive) error {
		for _, e := range []backuptest.Entry{
			{Name: ".", Kind: tar.TypeDir, Mode: 0o755, Uid: 998},
			{Name: "also.json", Body: "[STRIPPED]"},
			{Name: "gone.json", Body: "[STRIPPED]"},
			{Name: "notes", Body: "then"},
			{Name: "odd\xff.json", Body: "[STRIPPED]"},
			{Name: "same.json", Kind: tar.TypeLink, Link: "also.json"},
		} {
			if err := a.Add(e.Header(), strings.NewReader(e.Body)); err != nil {
				return err
			}
		}
		for _, name := range []string{"also.json", "gone.json", "odd\xff.json"} {
			a.Exclusions = append(a.Exclusions, *archive.LeftOut(name, archive.LeftOutRedacted, "API_KEY replaced"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if b, err = s.Find(name, b.ID); err != nil {
		t.Fatal(err)
	}
	return Request{Store: s, Backup: b, Consent: true}
}

// Promise: a restore never puts a stripped value over a live one; where the target has none, the file comes back and is named.
func TestAStrippedValueReplacesNoLiveOne(t *testing.T) {
	live := []backuptest.Entry{
		{Name: "also.json", Body: "live"}, {Name: "notes", Body: "now"}, {Name: "odd\xff.json", Body: "live too"}, {Name: "same.json", Kind: tar.TypeLink, Link: "sandbox/also.json"},
	}
	f := backuptest.NewFakeEngine()
	target := f.Add(backuptest.IdA, "exited", live...)
	request := scrubbed(t, target.Name)
	request.Target, request.containers, request.DryRun = target, f, true
	dry, err := Restore(t.Context(), request)
	kept := []string{"also.json", "odd\xff.json", "same.json"}
	if err != nil || !cmp.Equal(dry.Kept, kept) || !cmp.Equal(dry.Changed, []string{"notes"}) || !cmp.Equal(dry.Added, []string{"gone.json"}) || len(dry.Removed) > 0 {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	request.DryRun = false
	summary, err := Restore(t.Context(), request)
	want := map[string]string{"": "", "also.json": "live", "gone.json": "[STRIPPED]", "notes": "then", "odd\xff.json": "live too", "same.json": "sandbox/also.json"}
	if diff := cmp.Diff(want, f.Home(backuptest.IdA)); err != nil || diff != "" {
		t.Errorf("%v, home (-want +got):\n%s", err, diff)
	}
	if !cmp.Equal(summary.Kept, kept) || len(summary.Missing) != 1 || summary.Missing[0].Path != "gone.json" {
		t.Errorf("kept %q, to be entered again %+v", summary.Kept, summary.Missing)
	}
}

// The same in a sandbox that is reached through its gateway.
func TestAStrippedValueReplacesNoLiveOneThroughAGateway(t *testing.T) {
	dir := t.TempDir()
	backuptest.Write(t, dir, map[string]string{"also.json": "live", "notes": "now", "same.json": "live"})
	target := backuptest.ByExec("alpha")
	request := scrubbed(t, target.Name)
	request.Target, request.CLI = target, &backuptest.Folder{Dir: dir}
	summary, err := Restore(t.Context(), request)
	want := map[string]string{"also.json": "live", "gone.json": "[STRIPPED]", "notes": "then", "odd\xff.json": "[STRIPPED]", "same.json": "live"}
	if diff := cmp.Diff(want, backuptest.Contents(t, dir)); err != nil || diff != "" {
		t.Errorf("%v, home (-want +got):\n%s", err, diff)
	}
	if !cmp.Equal(summary.Kept, []string{"also.json", "same.json"}) {
		t.Errorf("kept %q", summary.Kept)
	}
}
