package cmd

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/buckettest"
)

// offHostFixture is a host with backups, a bucket, and the two halves of a key.
type offHostFixture struct {
	*madeUpHost
	t        *testing.T
	server   *buckettest.Server
	ids      []string // of alpha's backups, newest first
	key      string   // public half
	identity string   // file with the other one
}

func newOffHost(t *testing.T) *offHostFixture {
	t.Helper()
	f := &offHostFixture{t: t, server: buckettest.Start(t)}
	f.server.Bucket(t, "backups", false)
	f.madeUpHost, f.ids = twice(t)
	made, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	f.key, f.identity = made.Recipient().String(), filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(f.identity, []byte(made.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// at is a command line about the bucket.
func at(args ...string) []string {
	return append(args, "--store", "s3://backups/fleet", "--store-host", "host1")
}

func (f *offHostFixture) mustAt(args ...string) string {
	f.t.Helper()
	return f.mustRun(at(args...)...)
}

// What is in a bucket is listed, shown, verified and pruned as what is in the backup folder, and its content is left nowhere on the host.
func TestWhatIsInABucketIsLookedAfter(t *testing.T) {
	f := newOffHost(t)
	said := f.mustAt("backups", "sync", "--seal-to", f.key)
	for _, want := range []string{"sent", "alpha", "beta", f.ids[0], "3 backups sent", "s3://backups/fleet/host1"} {
		if !strings.Contains(said, want) {
			t.Errorf("sync does not say %q:\n%s", want, said)
		}
	}
	if said := f.mustAt("backups", "sync", "--seal-to", f.key); !strings.Contains(said, "Nothing is missing") {
		t.Errorf("a second sync:\n%s", said)
	}
	if said := f.mustAt("backups", "list"); !strings.Contains(said, f.ids[1]) || !strings.Contains(said, "Backups stored in: s3://backups/fleet/host1") {
		t.Errorf("list:\n%s", said)
	}
	if said := f.mustAt("backups", "show", "alpha"); !strings.Contains(said, "s3://backups/fleet/host1/alpha/"+f.ids[0]) {
		t.Errorf("show:\n%s", said)
	}
	if said := f.mustAt("backups", "verify", "--read-data"); !strings.Contains(said, "only --identity FILE proves") || !strings.Contains(said, "0 damaged") {
		t.Errorf("verify without the key:\n%s", said)
	}
	if said := f.mustAt("backups", "verify", "--read-data", "--identity", f.identity); strings.Contains(said, "only --identity") {
		t.Errorf("verify with the key:\n%s", said)
	}
	if said := f.mustAt("backups", "list", "alpha"); !strings.Contains(said, "every byte, ") {
		t.Errorf("the list does not remember the verification:\n%s", said)
	}
	if said := f.mustAt("backups", "prune", "--keep", "1", "--yes"); !strings.Contains(said, "removed  alpha "+f.ids[1]) || !strings.Contains(said, "1 backup removed from s3://backups/fleet/host1") {
		t.Errorf("prune:\n%s", said)
	}
	for range 2 { // the first one finds it gone, the second one remembers
		if said := f.mustAt("backups", "sync", "--seal-to", f.key); !strings.Contains(said, "1 backup removed from the bucket since, and not sent again\nNothing else is missing") {
			t.Errorf("a sync after the prune:\n%s", said)
		}
	}
	f.mustAt("backups", "verify", "--read-data", "--identity", f.identity)
	if left, _ := filepath.Glob(filepath.Join(f.store(), ".fetched-*")); len(left) != 0 {
		t.Errorf("content is left in plain text: %v", left)
	}
}

// Promise: of a backup in a bucket it is said what it added there, what it shares and who can open it; and of all of them what is kept of removed
// ones, for that is stored too.
func TestABucketSaysWhatIsShared(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if said := f.mustAt("backups", "show", "alpha"); !strings.Contains(said, "shared       nothing") {
		t.Errorf("show of a whole one:\n%s", said)
	}
	f.backUp("--seal-to", f.key) // of homes that are as they were
	said := f.mustAt("backups", "show", "alpha")
	for _, want := range []string{"added        3 objects", "shared       1 object", "encrypted    to " + f.key} {
		if !strings.Contains(said, want) || strings.Contains(said, "tar.zst") {
			t.Errorf("show does not say %q, or of a file that no bucket has:\n%s", want, said)
		}
	}

	if said := f.mustAt("backups", "list"); strings.Contains(said, "removed backups") {
		t.Errorf("nothing was removed:\n%s", said)
	}
	f.mustAt("backups", "prune", "--keep", "1", "--yes")
	f.mustAt("backups", "verify", "--read-data", "--identity", f.identity)
	f.mustAt("backups", "prune", "--keep", "1", "--yes")
	if said := f.mustAt("backups", "list"); !strings.Contains(said, "of removed backups are kept as well") {
		t.Errorf("what is shared of a removed one is still there:\n%s", said)
	}
}

// The setting of the nightly run does not make a reading command look into the bucket.
func TestASettingDoesNotChangeWhatIsListed(t *testing.T) {
	f := newOffHost(t)
	settings := filepath.Join(f.home, ".config", "sandkeeper")
	if err := os.MkdirAll(settings, 0o700); err != nil {
		t.Fatal(err)
	}
	text := "store = \"s3://backups/fleet\"\nstore_host = \"host1\"\nseal_to = [\"" + f.key + "\"]\n"
	if err := os.WriteFile(filepath.Join(settings, "config.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := f.mustRun("backups", "sync"); !strings.Contains(said, "3 backups sent") {
		t.Errorf("sync does not take the settings:\n%s", said)
	}
	if said := f.mustRun("backups", "list"); !strings.Contains(said, "Backups stored in: "+f.madeUpHost.store()) {
		t.Errorf("list:\n%s", said)
	}
}

// What goes wrong with a bucket ends with a code, a kind and the next command.
func TestFailuresOfABucketNameTheNextCommand(t *testing.T) {
	f := newOffHost(t)
	for name, c := range map[string]struct {
		args []string
		code ExitCode
		says string
	}{
		"no key":      {at("backups", "sync"), ExitUsage, "--seal-to"},
		"no bucket":   {[]string{"backups", "sync", "--seal-to", f.key}, ExitUsage, "--store s3://"},
		"no address":  {[]string{"backups", "list", "--store", "/srv/backups"}, ExitUsage, "s3://bucket/prefix"},
		"wrong name":  {[]string{"backups", "sync", "--seal-to", f.key, "--store", "s3://nobody"}, ExitRefused, "create-bucket"},
		"nothing yet": {at("backups", "list"), ExitNotFound, "backups sync --store s3://backups/fleet"},
		"no lock":     {at("backups", "sync", "--seal-to", f.key, "--retain-days", "7"), ExitRefused, "--retain-days"},
	} {
		code, _, stderr := f.run(c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit %d, want %d with %q:\n%s", name, code, c.code, c.says, stderr)
		}
	}
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if code, _, stderr := f.run("backups", "list", "--store", "s3://backups/fleet", "--store-host", "other"); code != ExitNotFound || !strings.Contains(stderr, "host1") {
		t.Errorf("another host: exit %d:\n%s", code, stderr)
	}
	if code, _, stderr := f.run(at("restore", "alpha", "--yes")...); code != ExitUsage || !strings.Contains(stderr, "--identity") {
		t.Errorf("restore without the key: exit %d:\n%s", code, stderr)
	}
	if code, _, stderr := f.run(at("backups", "drill", "alpha")...); code != ExitRefused || !strings.Contains(stderr, "hint: add --identity") {
		t.Errorf("drill without the key: exit %d:\n%s", code, stderr)
	}

	// A command that is named goes on about the same bucket.
	from := " --store s3://backups/fleet --store-host host1"
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"show":    {at("backups", "show", "nobody"), "sandkeeper backups list" + from},
		"verify":  {at("backups", "verify", "nobody"), "sandkeeper backups list" + from},
		"restore": {at("restore", "nobody", "--yes"), "sandkeeper backups list" + from},
		"by hand": {at("restore", "alpha", "--recreate", "--identity", f.identity), "--backup " + f.ids[0] + from + " --identity " + f.identity},
	} {
		if code, _, stderr := f.run(c.args...); code != ExitNotFound || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit %d, without %q:\n%s", name, code, c.says, stderr)
		}
	}
}

// A key that opens nothing makes no backup damaged: what lies in the bucket is proven, and what is in it is not. Neither
// does a server that does not answer to the end.
func TestOnlyDamageIsCalledDamage(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.txt")
	if err := os.WriteFile(wrong, []byte(other.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := f.mustAt("backups", "verify", "--read-data", "--identity", wrong)
	if !strings.Contains(said, "every byte as it lies encrypted; none of the given identities opens it") || !strings.Contains(said, ", 0 damaged, in") {
		t.Errorf("with a wrong key:\n%s", said)
	}

	f.mustRun("backup-all", "--offline", "-q", "--only", "beta", "--encrypt-to", other.Recipient().String())
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if said := f.mustAt("backups", "verify", "beta", "--read-data", "--identity", f.identity); strings.Count(said, "none of the given identities opens it") != 1 {
		t.Errorf("a backup that was encrypted before it was sent:\n%s", said)
	}

	f.server.Proxy(t).Judge(func(r *http.Request) *buckettest.Fault {
		if strings.Contains(r.URL.Path, "/alpha/") && strings.HasSuffix(r.URL.Path, ".age") {
			return &buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	code, said, stderr := f.run(at("backups", "verify", "--read-data")...)
	if code != ExitRefused || !strings.Contains(said, "unread   alpha "+f.ids[0]) || !strings.Contains(said, ", 0 damaged, 2 that could not be read to the end, in") {
		t.Errorf("exit %d\n%s\n%s", code, said, stderr)
	}
}

// A sandbox gets its home back from the bucket on a host that has lost its backup folder, and what was in it is kept there.
func TestRestoreFromABucket(t *testing.T) {
	f := newOffHost(t)
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if err := os.RemoveAll(f.madeUpHost.store()); err != nil {
		t.Fatal(err)
	}
	before := f.content("alpha")
	said := f.mustAt("restore", "alpha", "--backup", f.ids[1], "--identity", f.identity, "--yes")
	if got := f.content("alpha"); got == before || got != "first" {
		t.Errorf("the home holds %q, not what the first backup has:\n%s", got, said)
	}
	if !strings.Contains(said, "sandkeeper restore alpha --backup ") || !strings.Contains(said, " --backup-dir "+f.madeUpHost.store()+" puts it back") {
		t.Errorf("it does not say how to get back:\n%s", said)
	}
	if said := f.mustRun("backups", "list"); !strings.Contains(said, archive.LabelBeforeRestore) {
		t.Errorf("what was replaced is not kept:\n%s", said)
	}
}

// statusDocument is what status says in JSON of the backups off the host.
type statusDocument struct {
	Result struct {
		Sandboxes []struct {
			Sandbox string
			OffHost *struct {
				ID     string
				Synced struct{ Store string }
			}
		}
	}
}

// offHost is the id of the newest backup of each sandbox that status takes to be off the host.
func (f *offHostFixture) offHost() map[string]string {
	f.t.Helper()
	var d statusDocument
	if err := json.Unmarshal([]byte(f.mustRun("status", "--offline", "--json")), &d); err != nil {
		f.t.Fatal(err)
	}
	known := map[string]string{}
	for _, row := range d.Result.Sandboxes {
		if row.OffHost != nil && row.OffHost.Synced.Store == "s3://backups/fleet/host1" {
			known[row.Sandbox] = row.OffHost.ID
		}
	}
	return known
}

// Promise: status says which backup of each sandbox is off the host, also after a run that was killed before it noted that, and not after it was
// removed there.
func TestStatusSaysWhatIsOffTheHost(t *testing.T) {
	f := newOffHost(t)
	if said := f.mustRun("status", "--offline"); !strings.Contains(said, "OFF-HOST") || !strings.Contains(said, "All of them are on this host") || len(f.offHost()) != 0 {
		t.Errorf("before:\n%s", said)
	}
	f.mustAt("backups", "sync", "alpha", "--seal-to", f.key)
	if got := f.offHost(); got["alpha"] != f.ids[0] || len(got) != 1 {
		t.Errorf("after a sync of alpha: %v", got)
	}
	page, metrics := filepath.Join(t.TempDir(), "status.html"), filepath.Join(t.TempDir(), "sandkeeper.prom")
	said := f.mustRun("status", "--offline", "--html", page, "--metrics", metrics)
	if !strings.Contains(said, "Off the host as well: backups of 1 of 2 sandboxes, in s3://backups/fleet/host1") {
		t.Errorf("text:\n%s", said)
	}
	for file, want := range map[string]string{page: "<th>Off the host</th>", metrics: `sandkeeper_offhost_backup_timestamp_seconds{gateway="",workspace="default",sandbox="alpha"} `} {
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s: %v\n%s", file, want, err, text)
		}
	}

	if err := os.Remove(filepath.Join(f.store(), "alpha", f.ids[0], "synced.json")); err != nil {
		t.Fatal(err)
	}
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if got := f.offHost(); got["alpha"] != f.ids[0] || len(got) != 2 {
		t.Errorf("after a run that was killed, and another: %v", got)
	}
	f.mustAt("backups", "prune", "--keep", "1", "--yes")
	if err := os.Remove(filepath.Join(f.store(), "alpha", f.ids[0], "synced.json")); err != nil {
		t.Fatal(err)
	}
	if got := f.offHost(); got["alpha"] != f.ids[1] {
		t.Fatalf("the older one was brought there: %v", got)
	}
	f.mustAt("backups", "sync", "--seal-to", f.key)
	if err := os.Remove(filepath.Join(f.store(), "alpha", f.ids[0], "synced.json")); err != nil {
		t.Fatal(err)
	}
	if got := f.offHost(); got["alpha"] != "" {
		t.Errorf("the older one was removed there: %v", got)
	}
}
