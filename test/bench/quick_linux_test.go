package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/backup/tree"
	"sandkeeper/internal/storetest"
)

// The rows of docs/design.md 9 that need no container engine, on a twentieth of the data set, for quick use:
//
//	go test -bench . -run NONE ./test/bench
//
// They show whether a change made a row slower; how a row stands beside other tools only the program shows.
const quickPart = 20

// plainHome is the data set as plain files.
func plainHome(b *testing.B) (dir string, data dataSet) {
	b.Helper()
	dir, data = b.TempDir(), dataOf(quickPart)
	from, to := io.Pipe()
	go func() { to.CloseWithError(data.write(to, ".")) }()
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		path := filepath.Join(dir, h.Name)
		switch {
		case err == nil && h.Typeflag == tar.TypeDir:
			err = os.MkdirAll(path, 0o755)
		case err == nil:
			err = writeAll(path, r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir, data
}

func writeAll(path string, content io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// saveHome makes a backup of a folder as the direct way does, which takes from the backup before what was not written
// to.
func saveHome(b *testing.B, s *store.Store, dir string) store.Backup {
	b.Helper()
	made, err := s.Create(b.Context(), storetest.LeastBackup("alpha"), func(ctx context.Context, a *archive.Archive) error {
		folder, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer folder.Close()
		of := archive.LayerFingerprint{Container: "c", Image: "i", Home: "/sandbox"}
		_, err = tree.Read(ctx, folder, a, tree.ReadOptions{Earlier: a.Earlier(of).Of})
		a.Note(func(m *archive.Manifest) {
			m.Looked = &archive.Looked{Container: of.Container, Image: of.Image, Home: of.Home, Settled: time.Now()}
		})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return made
}

func BenchmarkFirstBackup(b *testing.B) {
	dir, data := plainHome(b)
	b.SetBytes(data.bytes())
	for b.Loop() {
		made := saveHome(b, storetest.NewStore(b, store.Options{}), dir)
		b.ReportMetric(float64(made.Manifest.Archive.Bytes)/1e6, "MB-stored")
	}
}

func BenchmarkADayLater(b *testing.B) {
	dir, data := plainHome(b)
	s := storetest.NewStore(b, store.Options{})
	saveHome(b, s, dir)
	b.SetBytes(data.bytes())
	for day := uint64(1); b.Loop(); day++ {
		b.StopTimer()
		changeHome(b, dir, data, day)
		b.StartTimer()
		made := saveHome(b, s, dir)
		b.ReportMetric(float64(made.Manifest.Archive.Bytes)/1e6, "MB-stored")
	}
}

// changeHome rewrites 1 % of the small files, and appends 1 % to a log.
func changeHome(b *testing.B, dir string, data dataSet, day uint64) {
	b.Helper()
	pick, text := rand.New(rand.NewPCG(seed, day)), newText()
	for range data.small / 100 {
		i := pick.IntN(data.small)
		content := io.LimitReader(text.small(i+int(day)*data.small), data.smallSize(i))
		if err := writeAll(filepath.Join(dir, fmt.Sprintf("notes/%03d/%05d.md", i/100, i)), content); err != nil {
			b.Fatal(err)
		}
	}
	if err := write(filepath.Join(dir, "big-2.bin"), os.O_APPEND, text.log(6+int(day)), data.bigSize/100); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkVerify(b *testing.B) {
	dir, data := plainHome(b)
	s := storetest.NewStore(b, store.Options{})
	made := saveHome(b, s, dir)
	b.SetBytes(data.bytes())
	for b.Loop() {
		if err := s.Verify(b.Context(), made, true); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestoreIntoAnEmptyHome writes the files of a backup and waits for the disk.
func BenchmarkRestoreIntoAnEmptyHome(b *testing.B) {
	dir, data := plainHome(b)
	s := storetest.NewStore(b, store.Options{})
	made := saveHome(b, s, dir)
	b.SetBytes(data.bytes())
	for b.Loop() {
		if err := restoreTo(b, s, made); err != nil {
			b.Fatal(err)
		}
	}
}

func restoreTo(b *testing.B, s *store.Store, made store.Backup) error {
	b.Helper()
	folder, err := os.Open(b.TempDir())
	if err != nil {
		return err
	}
	defer folder.Close()
	from, err := s.Open(b.Context(), made, archive.OpenOptions{})
	if err != nil {
		return err
	}
	w := tree.NewWriter(folder)
	defer w.Close()
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(w.Finish(), from.Close())
		}
		if err != nil {
			return err
		}
		if err := w.Add(h, from); err != nil {
			return err
		}
	}
}
