package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

// meddler is a real engine on which somebody else starts a container, at the n-th look at it once it is stopped.
type meddler struct {
	*engine.Engine
	looks, at int
}

func (m *meddler) Inspect(ctx context.Context, id string) (engine.Container, error) {
	c, err := m.Engine.Inspect(ctx, id)
	if err != nil || c.Running() {
		return c, err
	}
	if m.looks++; m.looks != m.at {
		return c, nil
	}
	if err := m.Start(ctx, id); err != nil {
		return c, err
	}
	return m.Engine.Inspect(ctx, id)
}

// exchangeable is a running sandbox with a home, a backup of it, and a change since then; skipped where the direct way is not possible.
func exchangeable(t *testing.T) (*engine.Engine, sandbox.Sandbox, *store.Store, store.Backup) {
	t.Helper()
	e := backuptest.RealEngine(t)
	sb := backuptest.RealSandbox(t, e, true, nil)
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: ".", Kind: '5', Mode: 0o755}, backuptest.Entry{Name: "then", Body: "as it was"})
	h := home.ContainerHome{Engine: e, ID: sb.Container.ID, Dir: "/sandbox"}
	direct, err := h.Direct(t.Context())
	if err != nil {
		t.Skipf("needs the direct way: %v", err)
	}
	defer direct.Close()
	s := storetest.NewStore(t, store.Options{})
	b, err := s.Create(t.Context(), store.NewBackup{Manifest: archive.Manifest{Sandbox: sb.Name, Home: "/sandbox"}}, func(ctx context.Context, a *archive.Archive) error {
		_, err := direct.Capture(ctx, a, nil, home.NewMeter(sb.Name, nil))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	backuptest.FillHome(t, e, sb, backuptest.Entry{Name: "since", Body: "worked on"})
	return e, sb, s, b
}

func factsIn(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) map[string]string {
	t.Helper()
	at, err := e.OnHost(t.Context(), sb.Container.ID)
	if err != nil || at.Pid == 0 {
		t.Fatalf("the container does not run: %+v, %v", at, err)
	}
	return backuptest.TreeFacts(t, fmt.Sprintf("/proc/%d/root/sandbox", at.Pid))
}

func stagesOf(t *testing.T, e *engine.Engine, sb sandbox.Sandbox) []string {
	t.Helper()
	at, err := e.OnHost(t.Context(), sb.Container.ID)
	if err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(at.Upper), journal.ExchangePrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// TestSomebodyStartsTheContainerMeanwhile: while the homes change places, or just before. It is stopped again, everything is put back, and it runs
// with the home that it had.
func TestSomebodyStartsTheContainerMeanwhile(t *testing.T) {
	for _, look := range []int{1, 2} {
		e, sb, s, b := exchangeable(t)
		before := factsIn(t, e, sb)
		dir := t.TempDir()
		m := &meddler{Engine: e, at: look}
		summary, err := Restore(t.Context(), Request{Store: s, Backup: b, Target: sb, Consent: true, Journal: dir, containers: m})
		if m.looks < look {
			t.Fatalf("look %d: there were %d", look, m.looks)
		}
		if look == 2 && !errors.Is(err, ErrPutBack) || err == nil || summary.Done || summary.Way != archive.WayDirect {
			t.Errorf("look %d: %+v, %v", look, summary, err)
		}
		if diff := cmp.Diff(before, factsIn(t, e, sb)); diff != "" {
			t.Errorf("look %d (-before +after)\n%s", look, diff)
		}
		if left := stagesOf(t, e, sb); len(left) > 0 {
			t.Errorf("look %d: left %q", look, left)
		}
		if records, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || len(records) > 0 {
			t.Errorf("look %d: records %q, %v", look, records, err)
		}
	}
}

// TestWhatIsWrongInTheNewHomeChangesNothing: an archive that is damaged where only reading all of it shows it ends the restore before the sandbox is
// stopped.
func TestWhatIsWrongInTheNewHomeChangesNothing(t *testing.T) {
	e, sb, s, b := exchangeable(t)
	before, started := factsIn(t, e, sb), sb.Container.Started
	damage(t, b)
	_, err := Restore(t.Context(), Request{Store: s, Backup: b, Engine: e, Target: sb, Consent: true, Journal: t.TempDir()})
	if _, damaged := errors.AsType[*archive.DamageError](err); !damaged {
		t.Errorf("got %v", err)
	}
	c, err := e.Inspect(t.Context(), sb.Container.ID)
	if err != nil || !c.Started.Equal(started) {
		t.Errorf("it was stopped: started %v, then %v, %v", started, c.Started, err)
	}
	if diff := cmp.Diff(before, factsIn(t, e, sb)); diff != "" || len(stagesOf(t, e, sb)) > 0 {
		t.Errorf("left %q (-before +after)\n%s", stagesOf(t, e, sb), diff)
	}
}

// damage turns a byte in the middle of a backup's archive.
func damage(t *testing.T, b store.Backup) {
	t.Helper()
	content, err := os.ReadFile(b.ArchivePath())
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 0x40
	if err := os.WriteFile(b.ArchivePath(), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNoFolderIsRemovedThatIsNotBesideTheLayer: a record is only a claim; the engine says which layer is the container's.
func TestNoFolderIsRemovedThatIsNotBesideTheLayer(t *testing.T) {
	e, sb, _, _ := exchangeable(t)
	elsewhere := t.TempDir()
	stage := filepath.Join(elsewhere, journal.ExchangePrefix+"x")
	if err := os.MkdirAll(filepath.Join(stage, "precious"), 0o755); err != nil {
		t.Fatal(err)
	}
	entry := journal.Restore{Sandbox: sb.Name, Home: "/sandbox", Exchange: &journal.Exchange{Upper: filepath.Join(elsewhere, "diff"), Stage: stage}}
	_, err := finishExchange(t.Context(), e, *sb.Container, entry, nil)
	if err == nil || !strings.Contains(err.Error(), "no longer") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(stage, "precious")); err != nil {
		t.Error(err)
	}
}
