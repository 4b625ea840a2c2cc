package restore

import (
	"archive/tar"
	"strings"
	"testing"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"

	"github.com/google/go-cmp/cmp"
)

// Promise: what is mounted in a home does not make its restore impossible, and is never removed or written to. What no engine can remove
// beside it is said, in a dry run too.
func TestAMountInTheHomeIsLeftAsItIs(t *testing.T) {
	for name, mount := range map[string]string{"as it is": "/sandbox/dir/deep", "by another name": "/alias/dir/deep"} {
		f, request := savedFake(t, "exited")
		f.Add(backuptest.IdA, "exited", backuptest.Entry{Name: "a", Body: "now"}, backuptest.Entry{Name: "new", Body: "now"}, backuptest.Entry{Name: "dir", Kind: tar.TypeDir},
			backuptest.Entry{Name: "dir/b", Body: "now"}, backuptest.Entry{Name: "dir/c", Body: "now"},
			backuptest.Entry{Name: "dir/deep", Kind: tar.TypeDir}, backuptest.Entry{Name: "dir/deep/host", Body: "the host's"})
		f.Files[backuptest.IdA]["alias"] = backuptest.Entry{Kind: tar.TypeSymlink, Link: "/sandbox"}
		f.Mounts = []engine.Mount{{Source: "/host", Destination: mount}}
		const stay = `2 entries are beside a mount in the home and not in the backup, and stay, for no engine can remove that alone: ["dir/c" "new"]`
		request.DryRun = true
		dry, err := Restore(t.Context(), request)
		if err != nil || !cmp.Equal(dry.Changed, []string{"a", "dir/b"}) || len(dry.Added)+len(dry.Removed) > 0 || !strings.Contains(strings.Join(dry.Warnings, "\n"), stay) {
			t.Errorf("%s: dry run: %+v, %v", name, dry, err)
		}
		request.DryRun = false
		summary, err := Restore(t.Context(), request)
		want := map[string]string{"": "", "alias": "/sandbox", "a": "then", "new": "now", "dir": "", "dir/b": "then", "dir/c": "now", "dir/deep": "", "dir/deep/host": "the host's"}
		if diff := cmp.Diff(want, f.Home(backuptest.IdA)); err != nil || diff != "" {
			t.Errorf("%s: %v, home (-want +got):\n%s", name, err, diff)
		}
		if !cmp.Equal(summary.Mounted, []string{"dir/deep"}) || !cmp.Equal(summary.Warnings, []string{stay}) {
			t.Errorf("%s: mounted %q, warnings %q", name, summary.Mounted, summary.Warnings)
		}
	}
}
