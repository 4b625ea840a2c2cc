package gatewaystate

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	_ "modernc.org/sqlite" // the real thing, to make databases and to judge copies

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/gateway"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/sandboxname"
)

// gatewayHost is a home with a gateway's state in it.
type gatewayHost struct {
	home   string
	store  *store.Store
	places []gateway.Place
	db     *sql.DB
}

func newGatewayHost(t *testing.T) gatewayHost {
	t.Helper()
	h := gatewayHost{home: t.TempDir()}
	for name, content := range map[string]string{
		".config/openshell/gateways/nemoclaw/metadata.json": `{"name":"nemoclaw"}`,
		".config/openshell/gateways/nemoclaw/mtls/tls.key":  "PRIVATE",
		".config/openshell/gateways/nemoclaw/edge_token":    "TOKEN",
		".config/openshell/gateway.toml":                    "[openshell]\nversion = 1\n",
		".local/state/openshell/tls/ca.crt":                 "CERTIFICATE",
		".local/state/openshell/tls/ca.key":                 "PRIVATE",
		dbFolder + "/credentials/key-encryption-key.bin":    "\x00KEK",
	} {
		h.put(t, name, content)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(h.home, ".config/openshell/link")); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(h.home, dbFolder, "openshell.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", "CREATE TABLE t (n)", "INSERT INTO t VALUES (0), (0), (0)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	h.db = db
	h.store, err = store.Open(filepath.Join(h.home, "backups"), store.Options{UID: os.Getuid()})
	if err != nil {
		t.Fatal(err)
	}
	o := gateway.Options{Env: env.Parse([]string{"HOME=" + h.home, "NEMOCLAW_OPENSHELL_GATEWAY_STATE_DIR=" + filepath.Join(h.home, dbFolder)}), UID: os.Getuid(), Gateway: "nemoclaw-18093"} // a port that no other test of this machine uses
	h.places = gateway.StatePlaces(t.Context(), o, gateway.ChooseTarget(t.Context(), o))
	return h
}

const dbFolder = ".local/state/nemoclaw/openshell-docker-gateway"

func (h gatewayHost) put(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(h.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (h gatewayHost) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(h.home, name))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func (h gatewayHost) save(t *testing.T, change func(*Saving)) State {
	t.Helper()
	s := Saving{Store: h.store, Name: "nemoclaw", Home: h.home, Places: h.places, Extra: map[string][]byte{"providers/x.yaml": []byte("id: x\n")}}
	if change != nil {
		change(&s)
	}
	return Save(t.Context(), s)
}

func stopped(context.Context) error { return nil }

// restore puts the latest state back.
func (h gatewayHost) restore(t *testing.T, ids archive.Identities, isStopped func(context.Context) error) (Restored, error) {
	t.Helper()
	b, err := h.store.Gateways().Find("nemoclaw", store.Latest)
	if err != nil {
		t.Fatal(err)
	}
	return Restore(t.Context(), Restoring{Store: h.store, Backup: b, Identities: ids, Places: h.places, Stopped: isStopped})
}

func (h gatewayHost) state(t *testing.T) (n int64) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(h.home, dbFolder, "openshell.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var least int64
	if err := db.QueryRow("SELECT min(n), max(n) FROM t").Scan(&least, &n); err != nil || least != n {
		t.Errorf("the database has states %d to %d: %v", least, n, err)
	}
	return n
}

const keptID = "20261126T101500Z-1f3a"

// Where others can look, no credential is written in plain text, whatever its file is called. Each is named.
func TestGatewayStateInAFolderThatOthersCanSee(t *testing.T) {
	h := newGatewayHost(t)
	backuptest.Must(t, os.MkdirAll(filepath.Join(h.home, "backups/_gateway"), 0o750))
	for name, content := range map[string]string{
		".local/state/openshell/tls/ca.key.before-" + keptID:                                 "PRIVATE",
		".local/state/openshell/tls/backup.txt":                                              "-----BEGIN EC PRIVATE KEY-----\nMHcC\n",
		".local/state/openshell/docker-sandbox-tokens/default/id-1/main-process.json":        "{}",
		".local/state/nemoclaw/openshell-docker-gateway/credentials/key-encryption-key.bin~": "\x00KEK",
	} {
		h.put(t, name, content)
	}
	got := h.save(t, nil)
	if got.Status != "failed" || !strings.Contains(got.Reason, "database") || got.Backup == nil || !strings.HasPrefix(got.Backup.Path, filepath.Join(h.home, "backups/_gateway/nemoclaw")+"/") {
		t.Fatalf("got %+v", got)
	}
	var omitted []string
	for _, x := range got.Omitted {
		omitted = append(omitted, x.Path)
		if x.Kind == archive.LeftOutCredential && !strings.Contains(x.Reason, "mode 0750") {
			t.Errorf("%s: the reason is %q", x.Path, x.Reason)
		}
	}
	slices.Sort(omitted)
	want := []string{
		"config/gateways/nemoclaw/edge_token", "config/gateways/nemoclaw/mtls/tls.key", "config/link", "credentials/key-encryption-key.bin", "database/openshell.db",
		"sandbox-tokens/default/id-1/main-process.json", "tls/backup.txt", "tls/ca.key", "tls/ca.key.before-" + keptID,
	}
	if !slices.Equal(omitted, want) {
		t.Errorf("left out %v, want %v", omitted, want)
	}
	if names, err := h.store.Sandboxes(); err != nil || len(names) != 0 {
		t.Errorf("a gateway's state is listed as sandbox: %v, %v", names, err)
	}
	if err := sandboxname.CheckFolder("_gateway"); err == nil {
		t.Error("a sandbox may be called _gateway")
	}
	info, err := os.Stat(got.Backup.Path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// In an owner-only folder on a disk of this host everything is saved that the gateway and its sandboxes need. What an earlier restore
// kept beside the files is not the gateway's.
func TestGatewayStateHasWhatTheHostNeeds(t *testing.T) {
	h := newGatewayHost(t)
	token, supervisor := ".local/state/openshell/docker-sandbox-tokens/default/id-1/sandbox.jwt", ".local/share/openshell/docker-supervisor/sha256-1/openshell-sandbox"
	h.put(t, token, "eyJ")
	h.put(t, supervisor, strings.Repeat("program", 3<<20)) // larger than a configuration can be
	backuptest.Must(t, os.Chmod(filepath.Join(h.home, supervisor), 0o755))
	h.put(t, ".local/state/openshell/tls/ca.key.before-"+keptID, "OLD")
	h.put(t, ".config/openshell/gateway.toml.sandkeeper-"+keptID+".new", "HALF")

	got := h.save(t, nil)
	var omitted []string
	for _, x := range got.Omitted {
		omitted = append(omitted, x.Path)
	}
	slices.Sort(omitted)
	want := []string{"config/gateway.toml.sandkeeper-" + keptID + ".new", "config/link", "tls/ca.key.before-" + keptID}
	if got.Status != "backed_up" || !slices.Equal(omitted, want) {
		t.Fatalf("%s (%s), left out %v, want %v", got.Status, got.Reason, omitted, want)
	}
	_ = h.db.Close()
	backuptest.Must(t, os.RemoveAll(filepath.Join(h.home, ".local/state/openshell")))
	backuptest.Must(t, os.RemoveAll(filepath.Join(h.home, ".local/share/openshell")))
	r, err := h.restore(t, nil, stopped)
	if err != nil || !r.Done {
		t.Fatalf("%+v, %v", r, err)
	}
	for path, want := range map[string]string{
		token: "eyJ", ".local/state/openshell/tls/ca.key": "PRIVATE", dbFolder + "/credentials/key-encryption-key.bin": "\x00KEK",
	} {
		if got := h.read(t, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	info, err := os.Stat(filepath.Join(h.home, supervisor))
	if err != nil || info.Mode().Perm() != 0o755 || info.Size() != 21<<20 {
		t.Errorf("the supervisor: %v, %v; want an executable file", info, err)
	}
}

// A backup whose database has no place that is known for certain is not put back: the usual place may be another gateway's.
func TestGatewayStateIsNotPutBackIntoAGuessedPlace(t *testing.T) {
	h := newGatewayHost(t)
	h.save(t, nil)
	h.put(t, ".config/openshell/gateway.toml", "new")
	h.places[0].Path, h.places[0].Why = "", "nothing says which"
	r, err := h.restore(t, nil, stopped)
	if err == nil || r.Done || !strings.Contains(err.Error(), "nothing says which") || !strings.Contains(err.Error(), "OPENSHELL_DB_URL") {
		t.Errorf("%+v, %v", r, err)
	}
	if got := h.read(t, ".config/openshell/gateway.toml"); got != "new" {
		t.Error("something was put back")
	}
}

func TestGatewayStateComesBackWhole(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*Saving)
		ids    archive.Identities
	}{
		"encrypted":  {func(s *Saving) { s.Recipients = []string{key.Recipient().String()} }, archive.Identities{key}},
		"plain text": {func(s *Saving) { s.Plain = true }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newGatewayHost(t)
			if _, err := h.db.Exec("UPDATE t SET n = 7"); err != nil {
				t.Fatal(err)
			}
			if got := h.save(t, test.change); got.Status != "backed_up" || len(got.Omitted) != 1 {
				t.Fatalf("got %+v", got)
			}
			if _, err := h.db.Exec("UPDATE t SET n = 8"); err != nil {
				t.Fatal(err)
			}
			_ = h.db.Close()
			h.put(t, ".config/openshell/gateways/nemoclaw/edge_token", "CHANGED")
			h.put(t, ".config/openshell/untouched", "mine")
			backuptest.Must(t, os.Remove(filepath.Join(h.home, dbFolder, "credentials/key-encryption-key.bin")))
			r, err := h.restore(t, test.ids, stopped)
			if err != nil || !r.Done {
				t.Fatalf("%+v, %v", r, err)
			}
			if got := h.state(t); got != 7 {
				t.Errorf("the database has state %d, want 7", got)
			}
			for path, want := range map[string]string{
				dbFolder + "/credentials/key-encryption-key.bin":                    "\x00KEK",
				".config/openshell/gateways/nemoclaw/edge_token":                    "TOKEN",
				".config/openshell/gateways/nemoclaw/edge_token.before-" + r.Backup: "CHANGED",
				".config/openshell/untouched":                                       "mine",
			} {
				if got := h.read(t, path); got != want {
					t.Errorf("%s: %q, want %q", path, got, want)
				}
			}
			if !slices.Contains(r.Kept, filepath.Join(h.home, dbFolder, "openshell.db.before-"+r.Backup)) || !slices.Contains(r.Ignored, "providers/x.yaml") {
				t.Errorf("kept %v, ignored %v", r.Kept, r.Ignored)
			}
		})
	}
}

func TestGatewayStateIsNotPutBackUnderARunningGateway(t *testing.T) {
	h := newGatewayHost(t)
	h.save(t, nil)
	before := h.read(t, ".config/openshell/gateway.toml")
	h.put(t, ".config/openshell/gateway.toml", "new")
	calls := 0
	for name, isStopped := range map[string]func(context.Context) error{
		"runs": func(context.Context) error { return errors.New("it runs as process 7") },
		"started meanwhile": func(context.Context) error {
			if calls++; calls > 1 {
				return errors.New("it runs as process 8")
			}
			return nil
		},
	} {
		r, err := h.restore(t, nil, isStopped)
		if _, running := errors.AsType[*RunningError](err); !running || r.Done {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if got := h.read(t, ".config/openshell/gateway.toml"); got != "new" || before == "new" {
			t.Errorf("%s: something was put back", name)
		}
		if litter, _ := filepath.Glob(filepath.Join(h.home, ".config/openshell/*.new")); len(litter) > 0 {
			t.Errorf("%s: litter %v", name, litter)
		}
	}
}
