package restore

import (
	"archive/tar"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/storetest"
)

func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, needs root: owners and trusted attributes are set")
	}
}

// layeredFake is an engine in memory that also keeps its files in a folder, as the overlay driver does.
type layeredFake struct {
	*backuptest.FakeEngine
	t     *testing.T
	alter func(layer engine.Layer) // what the folder has beside, or instead
	looks int
}

func (f *layeredFake) Layer(_ context.Context, id string) (engine.Layer, error) {
	f.looks++
	l := engine.Layer{Container: id, Dir: f.t.TempDir(), Lower: []string{f.t.TempDir()}}
	for _, full := range slices.Sorted(maps.Keys(f.Files[id])) { // folders before what is in them
		e, at := f.Files[id][full], filepath.Join(l.Dir, full)
		var err error
		switch e.Kind {
		case tar.TypeDir:
			err = os.Mkdir(at, 0o700)
		case tar.TypeSymlink:
			err = os.Symlink(e.Link, at)
		default:
			err = os.WriteFile(at, []byte(e.Body), 0o600)
		}
		if err == nil && e.Kind != tar.TypeSymlink {
			err = os.Chmod(at, os.FileMode(e.Mode))
		}
		backuptest.Must(f.t, errors.Join(err, os.Lchown(at, e.Uid, e.Uid)))
	}
	if f.alter != nil && f.looks > 1 { // the first look, for locked files, is before the write
		f.alter(l)
	}
	return l, nil
}

// What the engine's own files say is believed only when it is, to the last entry, what was written. Anything else is for the engine
// to tell: a restore neither succeeds nor fails by a folder that may be read wrongly.
func TestRestoreIsReadBackFromTheLayer(t *testing.T) {
	asRoot(t)
	for name, tt := range map[string]struct {
		alter func(engine.Layer) error
		want  string
	}{
		"as written": {nil, ReadBackLayer},
		"a byte differs": {func(l engine.Layer) error {
			return os.WriteFile(filepath.Join(l.Dir, "sandbox/a"), []byte("thee"), 0o644)
		}, ReadBackEngine},
		"a mode differs":             {func(l engine.Layer) error { return unix.Chmod(filepath.Join(l.Dir, "sandbox/a"), 0o4644) }, ReadBackEngine},
		"an owner differs":           {func(l engine.Layer) error { return os.Lchown(filepath.Join(l.Dir, "sandbox/a"), 1, 0) }, ReadBackEngine},
		"one is missing":             {func(l engine.Layer) error { return os.Remove(filepath.Join(l.Dir, "sandbox/a")) }, ReadBackEngine},
		"one too many":               {func(l engine.Layer) error { return os.WriteFile(filepath.Join(l.Dir, "sandbox/x"), nil, 0o644) }, ReadBackEngine},
		"a device":                   {func(l engine.Layer) error { return unix.Mknod(filepath.Join(l.Dir, "sandbox/x"), unix.S_IFCHR, 0) }, ReadBackEngine},
		"the image has the home too": {func(l engine.Layer) error { return os.Mkdir(filepath.Join(l.Lower[0], "sandbox"), 0o755) }, ReadBackEngine},
		"but nothing shows through": {func(l engine.Layer) error {
			return errors.Join(os.Mkdir(filepath.Join(l.Lower[0], "sandbox"), 0o755), unix.Setxattr(filepath.Join(l.Dir, "sandbox"), overlayOpaque, []byte("y"), 0))
		}, ReadBackLayer},
		"a folder taken from elsewhere": {func(l engine.Layer) error {
			return unix.Setxattr(filepath.Join(l.Dir, "sandbox/dir"), overlayRedirect, []byte("/other"), 0)
		}, ReadBackEngine},
		"a layer below is gone": {func(l engine.Layer) error { return os.Remove(l.Lower[0]) }, ReadBackEngine},
		"the home is a link": {func(l engine.Layer) error {
			at := filepath.Join(l.Dir, "sandbox")
			return errors.Join(os.Rename(at, at+"2"), os.Symlink("sandbox2", at))
		}, ReadBackEngine},
		"no layer": {func(l engine.Layer) error { return os.RemoveAll(l.Dir) }, ReadBackEngine},
	} {
		f, request := savedFake(t, "exited")
		eng := &layeredFake{FakeEngine: f, t: t}
		if tt.alter != nil {
			eng.alter = func(l engine.Layer) { backuptest.Must(t, tt.alter(l)) }
		}
		request.containers, request.Target = eng, f.Add(backuptest.IdB, "exited")
		summary, err := Restore(t.Context(), request)
		if err != nil || !summary.Done || summary.ReadBack != tt.want || eng.looks != 2 {
			t.Errorf("%s: read back by %q (%d looks), want %q; %v", name, summary.ReadBack, eng.looks, tt.want, err)
		}
	}
}

// A write that went wrong is found whichever way it is read back.
func TestRestoreFindsAWrongWriteInTheLayer(t *testing.T) {
	asRoot(t)
	f, request := savedFake(t, "exited")
	eng := &layeredFake{FakeEngine: f, t: t}
	eng.alter = func(l engine.Layer) {
		e := f.Files[backuptest.IdB]["sandbox/dir/b"]
		e.Body = "flip"
		f.Files[backuptest.IdB]["sandbox/dir/b"] = e // the engine's own reading, which comes after, sees it too
		backuptest.Must(t, os.WriteFile(filepath.Join(l.Dir, "sandbox/dir/b"), []byte("flip"), 0o644))
	}
	request.containers, request.Target = eng, f.Add(backuptest.IdB, "exited")
	_, err := Restore(t.Context(), request)
	if !errors.Is(err, ErrPutBack) || !strings.Contains(err.Error(), `the first is "dir/b"`) {
		t.Errorf("got %v", err)
	}
}

// The layer of a real container says what its engine says, entry by entry.
func TestLayerAgreesWithTheEngine(t *testing.T) {
	asRoot(t)
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, false, nil)
	backuptest.FillHome(t, e, sb, backuptest.OddHome()...)
	st := storetest.NewStore(t, store.Options{})
	b := save(t, st, home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}, sb.Name)
	summary, err := Restore(t.Context(), Request{Store: st, Backup: b, Engine: e, Target: sb, Consent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Layer(t.Context(), sb.Container.ID); err != nil {
		t.Skipf("SKIPPED, needs an engine with an overlay driver on this host: %v", err)
	}
	if summary.ReadBack != ReadBackLayer {
		t.Errorf("read back by %q", summary.ReadBack)
	}
	p := &containerPlace{home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}}
	j := &restoreJob{pick: &selection{roots: []string{"."}}, meter: home.NewMeter("x", nil), place: p}
	want, err := j.look(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.lookAtLayer(t.Context(), j), cmp.AllowUnexported(entryFacts{})); diff != "" || len(want) < 10 {
		t.Errorf("%d entries (-engine +layer):\n%s", len(want), diff)
	}
}
