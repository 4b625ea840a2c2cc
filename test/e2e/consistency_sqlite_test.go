package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/klauspost/compress/zstd"
)

// A writer that never stops: in every transaction a row is added to one table and counted in another, so that a copy which mixes
// two moments shows.
const sqliteWriter = `db=/sandbox/memory.db
/usr/bin/sqlite3 $db 'pragma journal_mode=wal; create table if not exists notes(id integer primary key, text); create table if not exists total(n); insert into total select 0 where not exists (select 1 from total);'
trap 'exit 0' TERM
while :; do echo "begin; insert into notes(text) values(hex(randomblob(3000))); delete from notes where id < (select max(id) from notes) - 500; update total set n = (select max(id) from notes); commit;"; done |
/usr/bin/sqlite3 $db &
wait`

var libraryPath = regexp.MustCompile(`(/\S+) \(0x`)

// sqliteRoot is what it takes to run this machine's sqlite3 in a container: the program, and the libraries that it loads.
func sqliteRoot(t *testing.T) []entry {
	t.Helper()
	loads, err := exec.Command("ldd", "/usr/bin/sqlite3").Output()
	if err != nil {
		lacks(t, "SANDKEEPER_REQUIRE_DOCKER", "/usr/bin/sqlite3 and ldd, to write a database in a container (Debian: sqlite3)")
	}
	files := []string{"/bin/busybox", "/usr/bin/sqlite3"}
	for _, found := range libraryPath.FindAllStringSubmatch(string(loads), -1) {
		files = append(files, found[1])
	}
	root := []entry{{name: "tmp", dir: true, mode: 0o1777}, {name: "sandbox", dir: true, mode: 0o755}, {name: "bin/sh", link: "busybox"}, {name: "bin/sleep", link: "busybox"}}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root = append(root, entry{name: strings.TrimPrefix(file, "/"), content: string(content), mode: 0o755})
	}
	return root
}

// sqliteImage makes the image that patients of this host are made from.
func (p *patient) sqliteImage() {
	p.t.Helper()
	reference := fmt.Sprintf("e2e%d/sandbox-from:1", p.Port)
	rootfs := archive(p.t, sqliteRoot(p.t))
	out, err := p.engine.client.ImageImport(p.t.Context(), image.ImportSource{Source: rootfs, SourceName: "-"}, reference, image.ImportOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	if _, err := new(bytes.Buffer).ReadFrom(out); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", "-f", reference).CombinedOutput(); err != nil {
			p.t.Errorf("image %s is left behind: %v\n%s", reference, err, out)
		}
	})
}

// extract unpacks an archive with zstd and tar.
func extract(t *testing.T, file string) string {
	t.Helper()
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	tar := exec.Command("tar", "-x", "-f", "-", "-C", dir, "--no-same-owner")
	tar.Stdin = z
	if out, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	return dir
}

// byHand unpacks a backup, also one that shares blocks with others, with the script beside the backups.
func byHand(t *testing.T, backup string) string {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(backup, "..", "..", "open-backup.py")
	line := fmt.Sprintf("python3 %s %s | tar -x -f - -C %s --no-same-owner", script, backup, dir)
	if out, err := exec.Command("bash", "-eo", "pipefail", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return dir
}

// ask gives a database a question with this machine's own sqlite3.
func ask(t *testing.T, db, question string) string {
	t.Helper()
	out, err := exec.Command("/usr/bin/sqlite3", db, question).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// newWriter is a patient in whose container sqlite3 writes without a pause.
func newWriter(t *testing.T) *patient {
	t.Helper()
	p := &patient{host: newHost(t, "0.0.110"), engine: newEngine(t)}
	p.name = fmt.Sprintf("writer%d", p.Port)
	p.sqliteImage()
	p.container = p.make(p.name, []string{"/bin/sh", "-c", sqliteWriter}, []entry{{name: "noise", content: noise(4), mode: 0o600}})
	p.engine.start(p.container)
	var said []byte
	if _, ok := waitFor(waitLimit, func() bool { // both tables and a row of each: on a slow disk each of its commits takes a while
		said, _ = exec.CommandContext(t.Context(), "docker", "exec", p.container, "/usr/bin/sqlite3", "/sandbox/memory.db", "select n > 0 from total").CombinedOutput()
		return strings.TrimSpace(string(said)) == "1"
	}); !ok {
		t.Fatalf("the writer does not write: %s", said)
	}
	return p
}

// database is the database in the newest backup, as an operator gets it out by hand.
func (p *patient) database(consistency string) string {
	p.t.Helper()
	got := p.sandkeeper(p.save()...)
	if got.ExitCode != 0 || got.Result == nil || len(got.Result.Sandboxes) != 1 || got.Result.Sandboxes[0].Backup == nil {
		p.t.Fatalf("backup: %+v %+v", got.Error, got.Result)
	}
	b := got.Result.Sandboxes[0].Backup
	if b.Consistency != consistency {
		p.t.Fatalf("read %s, want %s", b.Consistency, consistency)
	}
	return filepath.Join(byHand(p.t, b.Path), "memory.db")
}

// docs/design.md 6, consistency: a database that is written to while its sandbox is backed up opens clean, and its
// writer goes on.
func TestSQLiteUnderWriteIsConsistent(t *testing.T) {
	p := newWriter(t)
	written := 0
	for round := range rounds(4, 40) {
		db := p.database("paused")
		p.engine.goesOn(p.container, 0)
		if _, err := os.Stat(db + "-wal"); err != nil {
			t.Errorf("round %d: the log is not in the backup: %v", round, err)
		}
		if got := ask(t, db, "pragma integrity_check"); got != "ok" {
			t.Errorf("round %d: integrity_check: %s", round, got)
		}
		if got := ask(t, db, "select n = (select max(id) from notes) from total"); got != "1" {
			t.Errorf("round %d: the tables are of two moments: %s", round, got)
		}
		n, err := strconv.Atoi(ask(t, db, "select n from total"))
		if err != nil || n <= written {
			t.Errorf("round %d: the writer had written %d, now %d (%v): it does not go on", round, written, n, err)
		}
		written = n
	}
	p.tidy()
	p.engine.stop(p.container)
	db := p.database("stopped")
	if got := ask(t, db, "pragma integrity_check"); got != "ok" {
		t.Errorf("stopped: integrity_check: %s", got)
	}
	if state := p.engine.state(p.container); state != "exited" {
		t.Errorf("a stopped container is %s after its backup", state)
	}
}

// Past the pause limit the read goes on live, and the manifest says so; the container is not frozen for longer.
func TestPauseLimitMakesTheReadLive(t *testing.T) {
	p := newPatient(t, 32)
	got := p.sandkeeper(p.save("--pause-limit", "20ms")...)
	if got.ExitCode != 0 || got.Result.Sandboxes[0].Backup.Consistency != "live" {
		t.Fatalf("exit %d, %+v", got.ExitCode, got.Result)
	}
	manifest, err := os.ReadFile(filepath.Join(got.Result.Sandboxes[0].Backup.Path, "manifest.json"))
	if err != nil || !strings.Contains(string(manifest), "reading takes longer than a pause may (20ms)") {
		t.Errorf("the manifest does not say why: %v", err)
	}
	p.engine.goesOn(p.container, 0)
	p.tidy()
	if never := p.sandkeeper(p.save("--pause-limit", "0")...); never.ExitCode != 0 || never.Result.Sandboxes[0].Backup.Consistency != "live" {
		t.Errorf("--pause-limit 0: exit %d, %+v", never.ExitCode, never.Result)
	}
}
