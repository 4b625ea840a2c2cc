package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"

	"github.com/zeebo/blake3"
)

// A backup whose index cannot be read may need any block: a prune takes none away, and when the index is there again the backup is whole.
func TestPruneKeepsWhatADamagedBackupMayNeed(t *testing.T) {
	s := testStore(t, Options{})
	one, two := fileItem("one", bulk(1, 1)), fileItem("two", bulk(2, 1)[:300<<10])
	first := create(t, s, newOf("alpha"), folderItem("."), one, two)
	hurt := create(t, s, newOf("alpha"), folderItem("."), two)
	last := create(t, s, newOf("alpha"), folderItem("."))
	index := filepath.Join(hurt.Dir, archive.IndexName)
	aside := filepath.Join(t.TempDir(), "index")
	if err := os.Rename(index, aside); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Remove(t.Context(), first, nil), collected(t, s)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, index); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, hurt, []item{folderItem("."), two})
	if err := collected(t, s); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, hurt, []item{folderItem("."), two})
	assertContent(t, s, last, []item{folderItem(".")})
}

// A backup that was exported, removed and imported again has its blocks under other numbers: those that refer to the old ones keep them.
func TestImportOfARemovedBackupTakesNothingFromOthers(t *testing.T) {
	s := testStore(t, Options{})
	one, two, three := fileItem("one", bulk(1, 1)), fileItem("two", bulk(2, 1)), fileItem("three", bulk(3, 1))
	create(t, s, newOf("alpha"), folderItem("."), one)
	middle := create(t, s, newOf("alpha"), folderItem("."), one, three, two)
	last := create(t, s, newOf("alpha"), folderItem("."), two)
	text := exported(t, s, middle)
	if err := s.Remove(t.Context(), middle, nil); err != nil {
		t.Fatal(err)
	}
	again, err := s.Import(t.Context(), bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	next := create(t, s, newOf("alpha"), folderItem("."), one, two, three)
	for b, want := range map[string][]item{again.ID: {folderItem("."), one, three, two}, last.ID: {folderItem("."), two}, next.ID: {folderItem("."), one, two, three}} {
		found, err := s.Find("alpha", b)
		if err != nil {
			t.Fatal(err)
		}
		assertContent(t, s, found, want)
	}
	if err := errors.Join(s.Remove(t.Context(), again, nil), collected(t, s)); err != nil {
		t.Fatal(err)
	}
	assertContent(t, s, last, []item{folderItem("."), two})
	assertContent(t, s, next, []item{folderItem("."), one, two, three})
}

// A pack whose frames and table agree, but not with the names of its blocks, is not believed.
func TestBlocksAreWhatTheirNamesSay(t *testing.T) {
	s := testStore(t, Options{})
	one := fileItem("one", bulk(1, 1)[:300<<10])
	first := create(t, s, newOf("alpha"), folderItem("."), one)
	last := create(t, s, newOf("alpha"), folderItem("."), one)
	if err := s.Remove(t.Context(), first, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(filepath.Dir(first.Dir), archive.Retired(first.ID))
	pack, err := archive.Opener{}.At(path, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw := bytes.Repeat([]byte("other"), 1<<20)[:pack.Table.Frames[0].Raw]
	forged, frames := packed(t, raw)
	sum := blake3.Sum256(forged)
	frames[0].Packed = hex.EncodeToString(sum[:archive.DigestBytes])
	table := archive.Table{Frames: frames, Blocks: pack.Table.Blocks}
	if err := errors.Join(pack.Close(), os.WriteFile(path, append(forged, table.Encode()...), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, o := range []VerifyOptions{{ReadData: true}, {ReadData: true, Proofs: Proofs{}}} {
		_, err := s.VerifyWith(t.Context(), last, o)
		if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageFrame {
			t.Errorf("err = %v", err)
		}
	}
}

// What cannot be written anew, for lack of room or because it is damaged, stays as it is, and what nobody needs any more is freed all the
// same: a full disk is why one prunes.
func TestCollectFreesWhatItCan(t *testing.T) {
	for name, hinder := range map[string]func(t *testing.T, s *Store, kept string){
		"no room": func(_ *testing.T, s *Store, kept string) { s.disk = fullDisk{s.disk, filepath.Base(kept)} },
		"damaged": func(t *testing.T, _ *Store, kept string) {
			content, err := os.ReadFile(kept)
			if err != nil {
				t.Fatal(err)
			}
			content[1000] ^= 1
			if err := os.WriteFile(kept, content, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := testStore(t, Options{})
			one, two, three := fileItem("one", bulk(1, 1)[:100<<10]), fileItem("two", bulk(2, 1)), fileItem("three", bulk(3, 1))
			first := create(t, s, newOf("alpha"), folderItem("."), one, two)
			second := create(t, s, newOf("alpha"), folderItem("."), one, two, three)
			third := create(t, s, newOf("alpha"), folderItem("."), one, three)
			create(t, s, newOf("alpha"), folderItem("."), one)
			if err := errors.Join(s.Remove(t.Context(), first, nil), s.Remove(t.Context(), second, nil), s.Remove(t.Context(), third, nil)); err != nil {
				t.Fatal(err)
			}
			kept, dead := filepath.Join(filepath.Dir(first.Dir), archive.Retired(first.ID)), filepath.Join(filepath.Dir(first.Dir), archive.Retired(second.ID))
			hinder(t, s, kept)
			if err := collected(t, s); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(kept); err != nil {
				t.Errorf("what is needed is gone: %v", err)
			}
			if _, err := os.Lstat(dead); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is kept: %v", dead, err)
			}
		})
	}
}

// fullDisk has no room for one file.
type fullDisk struct {
	disk.FS
	name string
}

func (d fullDisk) Create(name string) (disk.File, error) {
	f, err := d.FS.Create(name)
	if err == nil && strings.HasSuffix(name, d.name) {
		return fullFile{f}, nil
	}
	return f, err
}

type fullFile struct{ disk.File }

func (fullFile) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// collected frees what nobody needs.
func collected(t *testing.T, s *Store) error {
	_, err := s.Collect(t.Context(), nil)
	return err
}
