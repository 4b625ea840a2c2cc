package gatewaystate

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/gateway"
	"sandkeeper/internal/database"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/pattern"
)

// stateWriter adds a gateway's state to an archive.
type stateWriter struct {
	Saving
	ctx     context.Context
	archive *archive.Archive
	exposed error // why credentials are left out; nil saves them

	unfinished *[]string // databases with a transaction that did not end
}

func (w stateWriter) write() error {
	layout := map[string]string{}
	for _, p := range w.Places {
		if !there(p) {
			w.missing(p)
			continue
		}
		layout[p.Name] = p.Path
		if err := w.place(p); err != nil {
			return err
		}
	}

	for _, name := range sortedKeys(w.Extra) {
		if err := w.file(name, w.Extra[name]); err != nil {
			return err
		}
	}

	content, err := json.MarshalIndent(layout, "", "  ")
	if err != nil {
		return err
	}
	return w.file(layoutName, append(content, '\n'))
}

// missing lists a database that is not there: without it a gateway's state is none.
func (w stateWriter) missing(p gateway.Place) {
	if p.Database {
		w.archive.Omit(p.Name, cmp.Or(p.Why, "there is no file "+p.Path))
	}
}

func (w stateWriter) place(p gateway.Place) error {
	switch {
	case p.Database:
		return w.database(p)
	case p.Tree:
		return w.tree(p)
	}
	return w.path(p, p.Name, p.Path)
}

// path adds one file. One that cannot be read costs only itself. A credential is listed instead, where it would be
// exposed.
func (w stateWriter) path(p gateway.Place, name, at string) error {
	f, info, err := homefile.Open(w.Home, at)
	if err != nil {
		w.archive.Omit(name, err.Error())
		return nil
	}
	defer f.Close()
	if p.Programs {
		return w.archive.Add(stateHeader(name, info), f)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxStateFile+1))
	switch {
	case err == nil && len(content) > maxStateFile:
		err = homefile.ErrTooLarge
	case err == nil && w.exposed != nil && (p.Secret || gateway.SecretFile(name, content)):
		w.leaveOut(name, "a credential of the gateway")
		return nil
	}

	if err != nil {
		w.archive.Omit(name, err.Error())
		return nil
	}
	h := stateHeader(name, info)
	h.Size = int64(len(content))
	return w.archive.Add(h, bytes.NewReader(content))
}

// leaveOut lists what would be exposed.
func (w stateWriter) leaveOut(name, what string) {
	w.archive.Exclusions = append(w.archive.Exclusions, *archive.LeftOut(name, archive.LeftOutCredential,
		fmt.Sprintf("%s, and %v; --encrypt-to saves it, encrypted", what, w.exposed)))
}

func (w stateWriter) file(name string, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	return w.archive.Add(h, bytes.NewReader(content))
}

func (w stateWriter) tree(p gateway.Place) error {
	count := 0
	return filepath.WalkDir(p.Path, func(at string, e fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(p.Path, at)
		name := path.Join(p.Name, filepath.ToSlash(rel))
		switch {
		case err != nil || relErr != nil:
			w.archive.Omit(name, errors.Join(err, relErr).Error())
			return nil
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			w.archive.Omit(name, "not a regular file")
			return nil
		case leftover().MatchString(e.Name()):
			w.archive.Omit(name, "an earlier restore kept it here; the gateway does not use it")
			return nil
		}

		if count++; count > maxStateFiles {
			w.archive.Omit(name, fmt.Sprintf("%s has more than %d files", p.Path, maxStateFiles))
			return fs.SkipAll
		}
		return w.path(p, name, at)
	})
}

// database adds one state of a database that may be in use. Whatever its gateway's version, it holds what sandboxes
// were given: values of environment variables, tokens.
func (w stateWriter) database(p gateway.Place) error {
	if w.exposed != nil {
		w.leaveOut(p.Name, "it holds credentials")
		return nil
	}
	saved, err := database.Save(w.ctx, p.Path)
	if err != nil {
		if context.Cause(w.ctx) != nil {
			return err
		}
		w.archive.Omit(p.Name, err.Error())
		return nil
	}

	defer saved.Close()
	if err := w.copied(p.Name, saved.Main); err != nil || saved.Journal == nil {
		return err
	}
	*w.unfinished = append(*w.unfinished, p.Path)
	return w.copied(p.Name+databaseJournal, saved.Journal)
}

func (w stateWriter) copied(name string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.archive.Add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Unix(0, 0)}, f)
}

func stateHeader(name string, info fs.FileInfo) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: time.Unix(0, 0)}
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// leftover are the names of what restores of gateways' states keep beside what they put in place. A gateway has no use
// for them.
var leftover = pattern.Of(`\.((before|after)-|sandkeeper-)[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}(\.new|-wal|-shm|-journal)?$`)
