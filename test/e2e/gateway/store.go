package gateway

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// store is a gateway's SQLite database. It is read at every call, as the real gateway does, so that what is in the file
// counts.
type store struct {
	db      *sql.DB
	version string     // of the gateway: it decides what a record looks like
	mu      sync.Mutex // held from the reading of a record to its writing
}

// openStore opens the database at a path, and makes it when there is none.
func openStore(ctx context.Context, path, version string) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	journal := "delete"
	if GenerationOf(version) == Timestamps {
		journal = "wal"
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode("+journal+")")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &store{db: db, version: version}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

func (s *store) migrate(ctx context.Context) error {
	var tables int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name = 'objects'`).Scan(&tables); err != nil || tables > 0 {
		return err
	}
	if _, err := s.db.ExecContext(ctx, schemaOfStore); err != nil {
		return err
	}
	for _, m := range migrations(s.version) {
		checksum, err := hex.DecodeString(m.checksum)
		if err != nil {
			return err
		}
		_, err = s.db.ExecContext(ctx, `INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (?, ?, 1, ?, 0)`,
			m.version, m.description, checksum)
		if err != nil {
			return err
		}
	}

	return s.addWorkspace(ctx, defaultWorkspace)
}

// addWorkspace makes a workspace, unless it is there.
func (s *store) addWorkspace(ctx context.Context, name string) error {
	now := time.Now()
	var m message
	m.embed(1, Sandbox{ID: NewID(), Name: name, Created: now}.meta("0.0.87")) // a workspace belongs to no workspace
	_, err := s.db.ExecContext(ctx, `INSERT INTO objects (object_type, id, name, payload, created_at_ms, updated_at_ms, labels)
		VALUES ('workspace', ?, ?, ?, ?, ?, '{}') ON CONFLICT DO NOTHING`, NewID(), name, []byte(m), now.UnixMilli(), now.UnixMilli())
	return err
}

// workspaces are the names of all workspaces.
func (s *store) workspaces(ctx context.Context) (names []string, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name FROM objects WHERE object_type = 'workspace' ORDER BY created_at_ms, name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}

	return names, rows.Err()
}

const selectSandboxes = `SELECT payload, resource_version FROM objects WHERE object_type = 'sandbox'`

// sandboxes are those that the condition selects, in the order of a listing.
func (s *store) sandboxes(ctx context.Context, where string, values ...any) ([]Sandbox, error) {
	rows, err := s.db.QueryContext(ctx, selectSandboxes+where+` ORDER BY created_at_ms, name`, values...)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "list sandboxes failed: %v", err)
	}
	defer rows.Close()
	var all []Sandbox
	for rows.Next() {
		var payload []byte
		var revision uint64
		if err := rows.Scan(&payload, &revision); err != nil {
			return nil, status.Errorf(codes.Internal, "list sandboxes failed: %v", err)
		}
		sandbox, err := decodeSandbox(payload)
		if err != nil {
			return nil, status.Errorf(codes.Internal, "list sandboxes failed: decode error: protobuf decode error: failed to decode Protobuf message: %v", err)
		}
		sandbox.Revision = revision
		all = append(all, sandbox)
	}

	return all, rows.Err()
}

// named is the sandbox with that key; ok is false when there is none.
func (s *store) named(ctx context.Context, key string) (Sandbox, error) {
	workspace, name := splitKey(key)
	return s.one(ctx, ` AND workspace = ? AND name = ?`, workspace, name)
}

func (s *store) byID(ctx context.Context, id string) (Sandbox, error) {
	return s.one(ctx, ` AND id = ?`, id)
}

func (s *store) one(ctx context.Context, where string, values ...any) (Sandbox, error) {
	found, err := s.sandboxes(ctx, where, values...)
	if err == nil && len(found) == 0 {
		err = status.Error(codes.NotFound, "sandbox not found")
	}
	if err != nil {
		return Sandbox{}, err
	}
	return found[0], nil
}

// insert adds a sandbox. Its name must be new in its workspace.
func (s *store) insert(ctx context.Context, sandbox Sandbox) error {
	labels, err := json.Marshal(sandbox.Labels)
	if err != nil {
		return err
	}
	if len(sandbox.Labels) == 0 {
		labels = []byte("{}")
	}
	at := sandbox.Created.UnixMilli()
	_, err = s.db.ExecContext(ctx, `INSERT INTO objects (object_type, id, name, workspace, payload, created_at_ms, updated_at_ms, labels)
		VALUES ('sandbox', ?, ?, ?, ?, ?, ?, ?)`, sandbox.ID, sandbox.Name, sandbox.workspace(), []byte(sandbox.encode(s.version)), at, at, string(labels))
	if isUnique(err) {
		return status.Errorf(codes.AlreadyExists, "sandbox '%s' already exists", sandbox.Name)
	}
	if err != nil {
		return status.Errorf(codes.Internal, "persist sandbox failed: %v", err)
	}
	return nil
}

func isUnique(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// update changes a sandbox; change says whether there is anything to write.
func (s *store) update(ctx context.Context, id string, change func(*Sandbox) bool) (Sandbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sandbox, err := s.byID(ctx, id)
	if err != nil || !change(&sandbox) {
		return sandbox, err
	}
	_, err = s.db.ExecContext(ctx, `UPDATE objects SET payload = ?, updated_at_ms = ?, resource_version = resource_version + 1 WHERE id = ?`,
		[]byte(sandbox.encode(s.version)), time.Now().UnixMilli(), id)
	sandbox.Revision++
	return sandbox, err
}

// remove forgets a sandbox and everything of it.
func (s *store) remove(ctx context.Context, id string) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM objects WHERE id = ? OR scope = ?`, id, id)
	return err
}

// addPolicy keeps a sandbox's first policy as the revision that it has loaded.
func (s *store) addPolicy(ctx context.Context, sandbox Sandbox, content []byte) error {
	now := time.Now().UnixMilli()
	var m message
	m.embed(1, content)
	m.text(2, Policy{Content: content}.hash())
	m.number(4, uint64(now))
	_, err := s.db.ExecContext(ctx, `INSERT INTO objects (object_type, id, scope, version, status, payload, created_at_ms, updated_at_ms, workspace)
		VALUES ('sandbox_policy', ?, ?, 1, 'loaded', ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		NewID(), sandbox.ID, []byte(m), now, now, sandbox.workspace())
	return err
}
