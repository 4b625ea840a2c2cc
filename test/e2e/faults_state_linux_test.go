package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fullState puts the state folder on a small disk of its own, without a byte of room.
func (p *patient) fullState() (disk string) {
	p.t.Helper()
	disk = smallDisk(p.t, "4")
	if err := os.MkdirAll(filepath.Join(p.Home, ".local"), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink(disk, filepath.Join(p.Home, ".local/state")); err != nil {
		p.t.Fatal(err)
	}
	leave(p.t, disk, 0)
	return disk
}

// The disk of the state folder is full, that of the backups is not: a backup is made live and says which disk has no room, a restore does
// not begin and names the same disk.
func TestFullStateDiskIsNamed(t *testing.T) {
	p := newPatient(t, 1)
	disk := p.fullState()
	got := p.sandkeeper(p.save()...)
	if got.ExitCode != 0 || got.Result == nil || got.Result.Sandboxes[0].Backup == nil {
		t.Fatalf("backup: %+v, %+v", got.Error, got.Result)
	}
	if b := got.Result.Sandboxes[0].Backup; b.Consistency != "live" {
		t.Errorf("without a record the sandbox was read %s", b.Consistency)
	}
	reason := p.text("backups", "show", p.name, "--json").stdout
	if !strings.Contains(reason, "no space left on device: 0 B free in "+filepath.Join(p.Home, ".local/state/sandkeeper/paused")) || strings.Contains(reason, "written so far") {
		t.Errorf("the reason of the live read: %s", reason)
	}
	out := p.text("restore", p.name, "--yes")
	if out.exit != 1 || !strings.Contains(out.stderr, "0 B free in "+filepath.Join(p.Home, ".local/state/sandkeeper/restoring")) || !strings.Contains(out.stderr, "XDG_STATE_HOME") || strings.Contains(out.stderr, "prune") {
		t.Errorf("restore: exit %d\n%s", out.exit, out.stderr)
	}
	p.engine.goesOn(p.container, 0)
	leave(t, disk, 1<<20)
	if out := p.text("restore", p.name, "--yes"); out.exit != 0 {
		t.Errorf("with room again: exit %d\n%s", out.exit, out.stderr)
	}
	p.tidy()
}

// A backup on a disk that is mounted read-only, as after its file system was found damaged, can still be restored: what is replaced is
// kept elsewhere, and comes back from there.
func TestRestoreFromAReadOnlyRoot(t *testing.T) {
	p := newPatient(t, 1)
	disk := smallDisk(t, "32")
	store := filepath.Join(disk, "store")
	if first := p.text(p.save("--backup-dir", store)...); first.exit != 0 {
		t.Fatalf("backup: exit %d\n%s", first.exit, first.stderr)
	}
	p.engine.put(p.container, entry{name: "since", content: "written since", mode: 0o600})
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	replaced := filepath.Join(p.Home, ".local/state/sandkeeper/replaced")
	out := p.text("restore", p.name, "--yes", "--backup-dir", store)
	if out.exit != 0 || !strings.Contains(out.stderr, store+" cannot be written: what the restore replaces is kept in "+replaced) || !strings.Contains(out.stdout, replaced) {
		t.Fatalf("restore: exit %d\n%s%s", out.exit, out.stdout, out.stderr)
	}
	if p.has("since") {
		t.Error("what the backup does not have is still there")
	}
	if back := p.text("restore", p.name, "--yes", "--backup-dir", replaced, "--backup", p.onlyID(replaced)); back.exit != 0 || !p.has("since") {
		t.Errorf("back: exit %d, since %v\n%s%s", back.exit, p.has("since"), back.stdout, back.stderr)
	}
	p.engine.goesOn(p.container, 0)
	p.tidy()
}

// has reports whether the home has a file of that name.
func (p *patient) has(name string) bool {
	p.t.Helper()
	_, err := p.engine.client.ContainerStatPath(p.t.Context(), p.container, "/sandbox/"+name)
	return err == nil
}

// onlyID is the id of the only backup of a store.
func (p *patient) onlyID(store string) string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(store, p.name, "2*"))
	if err != nil || len(found) != 1 {
		p.t.Fatalf("%s has %v, %v", store, found, err)
	}
	return filepath.Base(found[0])
}
