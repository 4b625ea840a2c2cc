package migrate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/driver"
	"sandkeeper/internal/storetest"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/recreate"
)

// importing is an importer of one member, on a gateway that lists these; none of its calls makes anything.
func importing(t *testing.T, there ...lifecycle.Record) *Importer {
	t.Helper()
	dir := t.TempDir()
	kept, err := store.Open(filepath.Join(dir, "backups"), store.Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	return &Importer{
		State: filepath.Join(dir, "state"), Gateway: "gw", Store: kept, Rename: map[string]string{},
		Set: &Set{Gateway: "gw", Sandboxes: []Member{{
			Name: "alpha", Workspace: "default", ID: "old", Container: "c", ContainerName: "openshell-alpha", Backup: "b1", Started: time.Unix(1, 0), Final: true,
		}}},
		Listed:    func(context.Context, driver.Place) ([]lifecycle.Record, error) { return there, nil },
		StillRuns: func(context.Context, Member) error { return nil },
		Settings:  func(context.Context) ([]openshell.Setting, error) { return nil, nil },
		Prepare:   func(context.Context, Member) (recreate.Order, error) { return recreate.Order{}, errToMake },
	}
}

var errToMake = errors.New("it would be made")

// made notes that an earlier import has made the member.
func (i *Importer) made(t *testing.T, name, id string, changes ...func(*imported)) {
	t.Helper()
	known := imported{
		Gateway: "gw", Workspace: "default", Name: name, From: "gw", OldID: "old", Backup: "b1", Started: time.Unix(1, 0), NewID: id, Done: true,
	}
	for _, change := range changes {
		change(&known)
	}
	record, err := imports(i.State).Own(t.Context(), known.key())
	if err == nil {
		err = errors.Join(record.Put(known), record.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOldContainerWithSomethingNewerIsNotRemovable: what is in no sandbox of the new gateway must not be named among what may go.
func TestOldContainerWithSomethingNewerIsNotRemovable(t *testing.T) {
	for name, c := range map[string]struct {
		since   func(*Importer)
		removes int
		says    string
	}{
		"nothing happened":              {func(*Importer) {}, 1, ""},
		"exported again, never started": {func(i *Importer) { i.Set.Sandboxes[0].Backup = "b2" }, 1, ""},
		"it was started": {func(i *Importer) {
			i.StillRuns = func(context.Context, Member) error { return ErrStartedSince }
		}, 0, "keep its old container: it was started again"},
		"it was started, and exported again": {func(i *Importer) {
			i.Set.Sandboxes[0].Backup, i.Set.Sandboxes[0].Started = "b2", time.Unix(2, 0)
		}, 0, "backup b2 has what that wrote"},
	} {
		i := importing(t, lifecycle.Record{ID: "new", Name: "alpha", Phase: "Ready"})
		i.made(t, "alpha", "new")
		c.since(i)
		got := i.Import(t.Context())
		if m := got.Sandboxes[0]; m.Status != Present || len(got.Removable) != c.removes || (c.says == "") != (m.Reason == "") || !strings.Contains(m.Reason, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestOneMemberIsMadeOnce: an import that is repeated with another name for a sandbox that is there would make a second agent.
func TestOneMemberIsMadeOnce(t *testing.T) {
	i := importing(t, lifecycle.Record{ID: "new", Name: "agent", Phase: "Ready"})
	i.made(t, "agent", "new")
	if m := i.Import(t.Context()).Sandboxes[0]; m.Status != Failed || !strings.Contains(m.Reason, `has made it as "agent"`) || !strings.Contains(m.Reason, "--rename alpha=agent") {
		t.Errorf("%+v", m)
	}
	i.Rename["alpha"] = "agent"
	if m := i.Import(t.Context()).Sandboxes[0]; m.Status != Present {
		t.Errorf("%+v", m)
	}
	i = importing(t) // it was deleted since: nothing is there twice
	i.made(t, "agent", "new")
	if m := i.Import(t.Context()).Sandboxes[0]; !errors.Is(m.Err(), errToMake) {
		t.Errorf("%+v", m)
	}
}

// TestAnothersSandboxDoesNotUndoWhatIsGone: what somebody has deleted stays deleted, also after somebody else had its name for a while.
func TestAnothersSandboxDoesNotUndoWhatIsGone(t *testing.T) {
	i := importing(t, lifecycle.Record{ID: "theirs", Name: "alpha", Phase: "Ready"})
	i.made(t, "alpha", "new")
	m := i.Import(t.Context()).Sandboxes[0]
	if _, exists := errors.AsType[*recreate.ExistsError](m.Err()); !exists {
		t.Fatalf("%+v", m)
	}
	i.Listed = func(context.Context, driver.Place) ([]lifecycle.Record, error) { return nil, nil }
	if m := i.Import(t.Context()).Sandboxes[0]; m.Status != Gone {
		t.Errorf("%+v", m)
	}
}

// TestARenamedSandboxIsMadeAgainFromWhatThereIs: restore --recreate was advised where no backup has the new name.
func TestARenamedSandboxIsMadeAgainFromWhatThereIs(t *testing.T) {
	i := importing(t)
	i.Rename["alpha"], i.StoreFlag = "agent", " --backup-dir /b"
	i.made(t, "agent", "new")
	if m := i.Import(t.Context()).Sandboxes[0]; m.Status != Gone || strings.Contains(m.Reason, "restore") || !strings.HasSuffix(m.Reason, "--rename alpha=OTHER") {
		t.Errorf("never saved: %+v", m)
	}
	saved := storetest.LeastBackup("agent")
	if _, err := i.Store.Create(t.Context(), saved, func(context.Context, *archive.Archive) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if m := i.Import(t.Context()).Sandboxes[0]; m.Status != Gone || !strings.Contains(m.Reason, "sandkeeper restore agent --recreate --backup-dir /b makes") {
		t.Errorf("saved: %+v", m)
	}
	i.Rename["alpha"] = "further" // as is advised
	if m := i.Import(t.Context()).Sandboxes[0]; !errors.Is(m.Err(), errToMake) {
		t.Errorf("%+v", m)
	}
}

// TestWhatAKilledRunMadeGetsWhatTheOldOneHad: a run that was killed after it had made the sandbox has not given it its services and settings.
func TestWhatAKilledRunMadeGetsWhatTheOldOneHad(t *testing.T) {
	kept := openshell.Beside{Settings: []openshell.Setting{{Key: "mode", Value: []byte{1}}}}
	for name, c := range map[string]struct {
		refused error
		lost    int
	}{"taken": {nil, 0}, "refused": {errors.New("no such setting"), 1}} {
		i := importing(t, lifecycle.Record{ID: "new", Name: "alpha", Phase: "Ready"})
		i.Set.Sandboxes[0].Beside = kept
		i.made(t, "alpha", "new", func(known *imported) { known.Done = false })
		given := 0
		i.Replay = func(_ context.Context, at driver.Place, name string, got openshell.Beside) error {
			if given++; at.Gateway != "gw" || name != "alpha" || got.String() != kept.String() {
				t.Errorf("%v %s: %s", at, name, got)
			}
			return c.refused
		}
		m := i.Import(t.Context()).Sandboxes[0]
		if m.Status != Present || given != 1 || len(m.Lost) != c.lost {
			t.Errorf("%s: given %d times: %+v", name, given, m)
		}
		if i.Import(t.Context()); given != 1 {
			t.Errorf("%s: what is whole was touched again", name)
		}
	}
}

// TestSettingsOfTheNewGatewayStay: a setting is set where nobody has; what somebody has set on the new gateway is named and stays.
func TestSettingsOfTheNewGatewayStay(t *testing.T) {
	i := importing(t)
	i.Set.Sandboxes, i.Set.Workspaces = nil, []string{"default", "spare"}
	i.Set.Settings = []openshell.Setting{{Key: "a", Value: []byte{1}}, {Key: "b", Value: []byte{1}}, {Key: "c", Value: []byte{1}}, {Key: "d", Value: []byte{1}}}
	i.Settings = func(context.Context) ([]openshell.Setting, error) {
		return []openshell.Setting{{Key: "b", Value: []byte{1}}, {Key: "c", Value: []byte{2}}}, nil
	}
	var set, made []string
	i.SetSetting = func(_ context.Context, s openshell.Setting) error {
		if s.Key == "d" {
			return errors.New("0.1.x has none of that name")
		}
		set = append(set, s.Key)
		return nil
	}
	i.MakeWorkspace = func(_ context.Context, name string) error { made = append(made, name); return nil }
	got := i.Import(t.Context())
	var lost []string
	for _, item := range got.Lost {
		lost = append(lost, item.Detail)
	}
	if strings.Join(set, " ") != "a" || strings.Join(made, " ") != "spare" ||
		strings.Join(lost, "; ") != `setting "c" of the whole gateway: it has another value on the new gateway, which stays; setting "d" of the whole gateway: 0.1.x has none of that name` {
		t.Errorf("set %q, made %q, lost %q", set, made, lost)
	}
}
