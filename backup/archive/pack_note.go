package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/internal/disk"

	"filippo.io/age"
)

// Note lies beside an encrypted pack. Its first line, JSON, proves the pack's bytes to everybody; behind it is the
// pack's table, encrypted to the store key: the host that made the pack learns from it which blocks are there, and not
// what is in them.
type Note struct {
	Pack       string   `json:"pack"` // id
	Bytes      int64    `json:"bytes"`
	SHA256     string   `json:"sha256"` // of the pack as it lies on disk
	Recipients []string `json:"recipients"`
	StoreKey   string   `json:"storeKey"`
	Table      string   `json:"table"` // SHA-256 of what follows the line

	sealed []byte
	object string // for people
}

// noteMax bounds what is read of a note.
const noteMax = tableMax + 1<<20

// NoteOf writes the note of a pack whose encoded table that is.
func NoteOf(pack string, file ArchiveFile, recipients []string, key *StoreKey, table []byte) ([]byte, error) {
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, key.identity.Recipient())
	if err == nil {
		_, err = w.Write(table)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt the table of pack %s: %w", pack, err)
	}
	n := Note{Pack: pack, Bytes: file.Bytes, SHA256: file.SHA256, Recipients: recipients, StoreKey: key.ID(), Table: sumOf(sealed.Bytes())}
	line, err := json.Marshal(n)
	return append(append(line, '\n'), sealed.Bytes()...), err
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readNote reads the note in that file of a series' folder; fs.ErrNotExist when there is none. What is wrong with it is
// a *DamageError.
func readNote(folder, rel, pack string) (*Note, error) {
	text, err := disk.ReadPlain(filepath.Join(folder, rel), noteMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, &DamageError{Kind: DamageTable, Object: rel, Err: err}
	}
	n := &Note{object: rel}
	line, sealed, found := bytes.Cut(text, []byte("\n"))
	switch err := json.Unmarshal(line, n); {
	case !found || err != nil:
		return nil, Damagef(DamageTable, rel, "its first line is not that of a note")
	case n.Pack != pack || len(n.SHA256) != 2*sha256.Size:
		return nil, Damagef(DamageTable, rel, "it is not the note of pack %s", pack)
	case sumOf(sealed) != n.Table:
		return nil, Damagef(DamageTable, rel, "its table has another digest")
	}

	n.sealed = sealed
	return n, nil
}

// open is the table in the note.
func (n *Note) open(key *StoreKey) (*Table, error) {
	plain, err := age.Decrypt(bytes.NewReader(n.sealed), key.identity)
	if err != nil {
		return nil, &DamageError{Kind: DamageTable, Object: n.object, Err: err}
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return nil, &DamageError{Kind: DamageTable, Object: n.object, Err: err}
	}
	t, err := DecodeTable(text)
	if err != nil {
		return nil, &DamageError{Kind: DamageTable, Object: n.object, Err: err}
	}
	return t, nil
}

// openFile opens the pack and compares its length.
func (n *Note) openFile(path string) (*os.File, error) {
	return OpenFile(filepath.Dir(path), ArchiveFile{File: filepath.Base(path), Bytes: n.Bytes})
}

// proveFile reads the pack as it lies on disk.
func (n *Note) proveFile(ctx context.Context, f io.ReaderAt) error {
	sum := sha256.New()
	if _, err := io.CopyBuffer(OnlyWriter{sum}, untilDone{ctx, io.NewSectionReader(f, 0, n.Bytes)}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != n.SHA256 {
		return Damagef(DamageDigest, n.object, "the SHA-256 of its pack is %s, not %s", got, n.SHA256)
	}
	return nil
}

// Check proves the pack at path as far as anybody can: that it is there, as long as it was, and, with readData, the
// same bytes.
func (n *Note) Check(ctx context.Context, path string, readData bool) error {
	f, err := n.openFile(path)
	if err != nil {
		return err
	}
	if readData {
		err = n.proveFile(ctx, f)
	}
	return errors.Join(err, f.Close())
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

// Read ends with the cause of the context once that is over.
func (u untilDone) Read(p []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// RetiredNote is the note, in the folder of a series, of the encrypted pack of a removed backup. It is the promise that
// the pack is there: who writes the pack anew writes it under another name first.
func RetiredNote(id string) string { return filepath.Join(RetiredFolder, id+".note") }

// RetiredSealed is the file of that pack, whose SHA-256 that is.
func RetiredSealed(id, sum string) string {
	return filepath.Join(RetiredFolder, id+"-"+sum[:16]+sealedSuffix)
}

const sealedSuffix = ".zst.age"

// SealedID is the id of the pack in a file that has a name of RetiredSealed; false for another name.
func SealedID(name string) (id string, ok bool) {
	at := strings.LastIndex(name, "-")
	if at < 0 || !strings.HasSuffix(name, sealedSuffix) || !ValidID(name[:at]) {
		return "", false
	}
	return name[:at], true
}

// FindNote finds an encrypted pack in the folder of a series: its note, and its file. What is kept of a removed backup
// comes first, as with packs that are not encrypted. An error is a *DamageError.
func FindNote(folder, id string) (note *Note, path string, err error) {
	if !ValidID(id) {
		return nil, "", Damagef(DamageIndex, id, "no pack can have that name")
	}
	for _, rel := range []string{RetiredNote(id), filepath.Join(id, NoteName), RetiredNote(id)} {
		note, err = readNote(folder, rel, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if filepath.Dir(rel) == RetiredFolder {
			return note, filepath.Join(folder, RetiredSealed(id, note.SHA256)), nil
		}
		return note, sealedIn(filepath.Join(folder, id)), nil
	}
	return nil, "", Damagef(DamageArchiveMissing, filepath.Join(id, NoteName), "it is missing, and %s too", RetiredNote(id))
}

// sealedIn is the encrypted pack in the folder of a backup.
func sealedIn(dir string) string {
	whole := filepath.Join(dir, EncryptedName)
	if disk.MustBeAbsent(whole) != nil {
		return whole
	}
	return filepath.Join(dir, EncryptedPackName)
}

// sealedPaths are the files that may hold the encrypted pack of that id, the likeliest first: also where its note is
// lost, whoever can open the pack finds it.
func sealedPaths(folder, id string) []string {
	var paths []string
	if _, path, err := FindNote(folder, id); err == nil {
		paths = append(paths, path)
	}
	entries, _ := os.ReadDir(filepath.Join(folder, RetiredFolder)) // what cannot be listed is not there
	for _, e := range entries {
		if of, pack := SealedID(e.Name()); pack && of == id {
			paths = append(paths, filepath.Join(folder, RetiredFolder, e.Name()))
		}
	}

	return append(paths, filepath.Join(folder, id, EncryptedName), filepath.Join(folder, id, EncryptedPackName))
}
