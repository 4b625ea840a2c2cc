package backup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/home"
	"sandkeeper/internal/backuptest"
)

// TestOnlyFilesThatChangedAreReadAgain holds what a day later costs: files that were not written to are taken from the
// backup before, whatever else changed, and those that were are read, also when they look alike.
func TestOnlyFilesThatChangedAreReadAgain(t *testing.T) {
	e := backuptest.RealEngine(t)
	for _, running := range []bool{true, false} {
		sb := backuptest.RealSandbox(t, e, running, nil)
		readable(t, e, sb)
		backuptest.FillHome(t, e, sb, append(backuptest.OddHome(), backuptest.Entry{Name: "big", Body: strings.Repeat("big", 1<<20), Uid: 998})...)
		r := realRun(t, e)
		r.flushing = flushedFirst(t)
		read := int64(0)
		r.Progress = func(e home.Event) { read = max(read, e.Bytes) }
		settle()
		first, _ := savedNow(t, r, sb)
		if first.Looked == nil || read < 3<<20 {
			t.Fatalf("running %t: %v was seen of the files; %d bytes were read", running, first.Looked, read)
		}
		backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "a", Body: "HELLO", Uid: 998}) // as long as before, and with the same time
		read = 0
		second, now := savedNow(t, r, sb)
		if second.ContentOf != "" || second.Content.Digest == first.Content.Digest || read > 1<<20 {
			t.Errorf("running %t: after a change the files are of %q, and %d bytes were read", running, second.ContentOf, read)
		}
		r.Reread, read = true, 0
		_, again := savedNow(t, r, sb)
		if diff := cmp.Diff(now, again, cmp.AllowUnexported(backuptest.Entry{})); diff != "" || read < 3<<20 {
			t.Errorf("running %t: %d bytes were read again; content differs (-before +read again):\n%s", running, read, diff)
		}
	}
}
