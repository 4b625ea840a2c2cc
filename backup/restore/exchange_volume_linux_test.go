package restore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
)

var (
	oldVolume = map[string]string{"a": "old", "gone/": "", "gone/b": "old", "l": "->/etc"}
	newVolume = map[string]string{"a": "new", "made/": "", "made/c": "new"}
)

// inVolume is an exchange of a stopped container whose home is a volume.
func inVolume(t *testing.T) (*exchange, inVolumeHost) {
	t.Helper()
	volume := filepath.Join(t.TempDir(), "_data")
	f := inVolumeHost{backuptest.NewFakeEngine(), filepath.Join(t.TempDir(), "diff"), volume}
	f.Add(backuptest.IdA, "exited")
	x := &exchange{containerPlace: &containerPlace{home.ContainerHome{Engine: f, ID: backuptest.IdA, Dir: "/sandbox"}}}
	x.plan = journal.Exchange{Upper: f.upper, Volume: volume, Stage: filepath.Join(volume, journal.ExchangePrefix+"x"), Before: []byte(`{"sandbox":"box","home":"/sandbox"}`)}
	backuptest.Must(t, os.MkdirAll(staged(x.plan, stagedHome), 0o755))
	backuptest.Must(t, os.Chmod(volume, 0o700))
	backuptest.Write(t, volume, oldVolume)
	backuptest.Write(t, staged(x.plan, stagedHome), newVolume)
	return x, f
}

type inVolumeHost struct {
	*backuptest.FakeEngine
	upper, volume string
}

func (o inVolumeHost) OnHost(context.Context, string) (engine.OnHost, error) {
	return engine.OnHost{Upper: o.upper, Mounts: []engine.Mount{{Source: o.volume, Destination: "/sandbox", Plain: true}}}, nil
}

// volumeOf is what is in the volume but for the stage.
func volumeOf(t *testing.T, x *exchange) map[string]string {
	t.Helper()
	all := backuptest.Contents(t, x.plan.Volume)
	for name := range all {
		if below(name, filepath.Base(x.plan.Stage)) || name == filepath.Base(x.plan.Stage)+"/" {
			delete(all, name)
		}
	}
	return all
}

// Promise: a home that is a volume is replaced whole, newer files go, its mode comes from the backup, and it can all be taken back.
func TestAHomeThatIsAVolumeIsReplacedWhole(t *testing.T) {
	x, _ := inVolume(t)
	var synced []string
	x.sync = func(folder *os.File) error {
		synced = append(synced, folder.Name())
		return folder.Sync()
	}
	backuptest.Must(t, x.turn())
	if diff := cmp.Diff([]string{staged(x.plan, volumeMoved), x.plan.Volume, x.plan.Stage}, synced); diff != "" {
		t.Errorf("made durable (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(newVolume, volumeOf(t, x)); diff != "" || modeOf(t, x) != 0o755 {
		t.Errorf("mode %o, the home (-want +got):\n%s", modeOf(t, x), diff)
	}
	if diff := cmp.Diff(oldVolume, backuptest.Contents(t, staged(x.plan, volumeMoved))); diff != "" {
		t.Errorf("what was there before (-want +got):\n%s", diff)
	}
	backuptest.Must(t, x.turn())
	if diff := cmp.Diff(oldVolume, volumeOf(t, x)); diff != "" || modeOf(t, x) != 0o700 {
		t.Errorf("taken back: mode %o, the home (-want +got):\n%s", modeOf(t, x), diff)
	}
}

func modeOf(t *testing.T, x *exchange) os.FileMode {
	t.Helper()
	info, err := os.Stat(x.plan.Volume)
	backuptest.Must(t, err)
	return info.Mode().Perm()
}

// Promise: a restore that fails at any step of the exchange in a volume, or is killed there, leaves the old home whole or the new one.
func TestAnExchangeInAVolumeIsWholeOrUndone(t *testing.T) {
	errCut := errors.New("cut")
	for name, killed := range map[string]bool{"fails": false, "is killed": true} {
		seen := map[string]int{}
		for n := range 30 {
			x, f := inVolume(t)
			steps := 0
			x.rename = func(from, to string) error {
				if steps++; steps == n || killed && steps > n {
					return errCut
				}
				return noReplace(from, to)
			}
			err := x.turn()
			made := err == nil
			if !killed && (x.half || made == errors.Is(err, errCut)) {
				t.Fatalf("step %d %s: %v, half %v", n, name, err, x.half)
			}
			if killed {
				_, half, err := volumeExchanged(x.plan)
				backuptest.Must(t, err)
				mended, err := mendVolume(t.Context(), f, engine.Container{}, journal.Restore{Exchange: &x.plan})
				if err != nil || mended != half {
					t.Fatalf("step %d %s: half before %v, mended %v, %v", n, name, half, mended, err)
				}
				made, err = exchanged(x.plan, "/sandbox")
				backuptest.Must(t, err)
			}
			want := oldVolume
			if made {
				want = newVolume
			}
			if diff := cmp.Diff(want, volumeOf(t, x)); diff != "" || !made && modeOf(t, x) != 0o700 {
				t.Errorf("step %d %s: mode %o, home (-want +got):\n%s", n, name, modeOf(t, x), diff)
			}
			seen[map[bool]string{true: "new", false: "old"}[made]]++
			if got, kept := endKilled(t, x, f); got != made || made && !cmp.Equal(kept, []string{".", "a", "gone", "gone/b", "l"}) || !made && len(kept) > 0 {
				t.Errorf("step %d %s: made %v, kept %q", n, name, got, kept)
			}
		}
		if seen["old"] < 8 || seen["new"] == 0 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}
