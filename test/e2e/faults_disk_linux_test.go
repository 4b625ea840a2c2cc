package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// smallDisk mounts a tmpfs of so many MB and returns its folder.
func smallDisk(t *testing.T, megabytes string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "root, to mount a small tmpfs")
	}
	dir := t.TempDir()
	if err := syscall.Mount("sandkeeper", dir, "tmpfs", 0, "size="+megabytes+"m"); err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_ROOT", "the right to mount a tmpfs ("+err.Error()+")")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("%s is left mounted: %v", dir, err)
		}
	})
	return dir
}

// leave fills a disk until so many bytes are free.
func leave(t *testing.T, disk string, free int64) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	_ = os.Remove(ballast)
	var s syscall.Statfs_t
	if err := syscall.Statfs(disk, &s); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fill := int64(s.Bavail)*s.Bsize - free; fill > 0 {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, fill); err != nil {
			t.Fatal(err)
		}
	}
}

var needAndRoom = regexp.MustCompile(`no space left on device.* (read|written) so far, [0-9.]+ [kMG]?B free in /`)

// The disk is full at ten points of a write: the error names what was needed and what was there, earlier backups stay whole, the
// sandbox goes on, nothing is left; a sandbox that fits is saved all the same.
func TestDiskFullAtTenLevels(t *testing.T) {
	p := newPatient(t, 4)
	disk := smallDisk(t, "64")
	store := filepath.Join(disk, "store")
	small := "a-small-" + p.name
	p.add(small, home())
	save := func(more ...string) envelope {
		return p.sandkeeper(p.save(append([]string{"--backup-dir", store, "--jobs", "1", "--skip-check", "disk-space"}, more...)...)...)
	}
	if first := save("--only", small); first.ExitCode != 0 {
		t.Fatalf("with room: exit %d, %+v", first.ExitCode, first.Error)
	}
	p.engine.put(p.container, entry{name: "more", content: reversed(noise(12)), mode: 0o600})
	const need = 12 << 20 // what is new, and a little for folders and the manifest
	for level := range 10 {
		free := int64(need) * int64(30+7*level) / 100
		if level == 9 {
			free = need + 8<<10 // the archive nearly fits, or the manifest does not
		}
		leave(t, disk, free)
		alone := save()
		if alone.ExitCode != 1 || !needAndRoom.MatchString(alone.Result.Sandboxes[0].Reason) {
			t.Errorf("level %d, %d bytes free: exit %d: %s", level, free, alone.ExitCode, alone.Result.Sandboxes[0].Reason)
		}
		if both := save("--only", small); both.ExitCode != 3 || both.Result.Totals["backedUp"] != 1 || both.Result.Totals["failed"] != 1 {
			t.Errorf("level %d: with a sandbox that fits: exit %d, %v, %+v", level, both.ExitCode, both.Result.Totals, both.Error)
		}
		p.engine.goesOn(p.container, 0)
		p.tidy()
		p.wholeIn(store)
		if t.Failed() {
			return
		}
	}
	leave(t, disk, 64<<20)
	if again := save("--only", small); again.ExitCode != 0 {
		t.Errorf("with room again: exit %d, %+v", again.ExitCode, again.Error)
	}
}

// Where the last backup would not fit a second time, nothing is begun: no sandbox is paused for nothing.
func TestNoRoomIsSaidBeforeTheStart(t *testing.T) {
	p := newPatient(t, 8)
	disk := smallDisk(t, "32")
	store := filepath.Join(disk, "store")
	if first := p.text(p.save("--backup-dir", store, "--skip-check", "disk-space")...); first.exit != 0 {
		t.Fatalf("with room: exit %d\n%s", first.exit, first.stderr)
	}
	leave(t, disk, 1<<20)
	out := p.text(p.save("--backup-dir", store)...)
	if out.exit != 1 || !regexp.MustCompile(`\d\.\d MB.*1\.0 MB free in `+store).MatchString(out.stderr) || strings.Contains(out.stderr, "reading") {
		t.Errorf("exit %d:\n%s", out.exit, out.stderr)
	}
	p.wholeIn(store)
	p.tidy()
}

// wholeIn asserts that a store holds whole backups only, and no litter.
func (p *patient) wholeIn(store string) {
	p.t.Helper()
	if out := p.text("backups", "verify", "--read-data", "--backup-dir", store); out.exit != 0 || !strings.Contains(out.stdout, " 0 damaged") {
		p.t.Errorf("backups verify exits %d:\n%s%s", out.exit, out.stdout, out.stderr)
	}
	for _, pattern := range []string{".tmp-*", ".before-restore-*", "*/.tmp-*"} {
		if left, _ := filepath.Glob(filepath.Join(store, pattern)); len(left) > 0 {
			p.t.Errorf("litter: %v", left)
		}
	}
}
