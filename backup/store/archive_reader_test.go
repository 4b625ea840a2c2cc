package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/backuptest"

	"github.com/klauspost/compress/zstd"
)

// packed is raw as an archive of one frame, without digests, and its index.
func packed(t testing.TB, raw []byte) ([]byte, []archive.Frame) {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(32<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		t.Fatal(err)
	}
	out := enc.EncodeAll(raw, nil)
	return out, []archive.Frame{{Raw: int64(len(raw)), Size: int64(len(out))}}
}

func TestReadFramesRefusesBombs(t *testing.T) {
	bomb, frames := packed(t, make([]byte, 64<<20))
	for name, frame := range map[string]archive.Frame{
		"honest about its size": frames[0], "a lie about its size": {Raw: 100, Size: frames[0].Size}, "at the limit": {Raw: archive.FrameMax, Size: frames[0].Size},
	} {
		r := archive.ReadFrames(t.Context(), bytes.NewReader(bomb), []archive.Frame{frame}, archive.ArchiveName)
		n, err := io.Copy(io.Discard, r)
		damage, ok := errors.AsType[*archive.DamageError](err)
		if !ok || damage.Kind != archive.DamageFrame || !strings.Contains(damage.Object, "frame 0") || n != 0 {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReadFramesRefusesWhatFollowsTheLastOne(t *testing.T) {
	content, frames := packed(t, []byte("hello"))
	r := archive.ReadFrames(t.Context(), bytes.NewReader(append(content, 0)), frames, archive.ArchiveName)
	defer r.Close()
	got, err := io.ReadAll(r)
	if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageExtended || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadFramesEndsWithItsContext(t *testing.T) {
	content, frames := packed(t, []byte("hello"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := archive.ReadFrames(ctx, bytes.NewReader(content), frames, archive.ArchiveName)
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// stored is raw as one zstd frame with one stored block (RFC 8878, 3.1.1): what the fuzzer changes reaches the reader as it is, without
// the cost of an encoder.
func stored(raw []byte) ([]byte, []archive.Frame) {
	const singleSegment4 = 0xa0 // the content's size follows in four bytes
	out := append([]byte{0x28, 0xb5, 0x2f, 0xfd, singleSegment4}, binary.LittleEndian.AppendUint32(nil, uint32(len(raw)))...)
	block := uint32(len(raw))<<3 | 1 // stored, the last one
	out = append(out, byte(block), byte(block>>8), byte(block>>16))
	out = append(out, raw...)
	return out, []archive.Frame{{Raw: int64(len(raw)), Size: int64(len(out))}}
}

// The entries of an archive whose frames are in order may still be anything: verification finds it, without a panic.
func FuzzArchiveReader(f *testing.F) {
	const enough = 16 << 10 // a stored block holds 128 KiB; the headers of tar are what matters
	f.Add(backuptest.TarOf(f, "a", "b"))
	f.Add(backuptest.TarOf(f, "../a", "b", "/etc/x", ""))
	f.Add(make([]byte, 1024))
	f.Add([]byte("no tar"))
	s := testStore(f, Options{})
	whole, err := s.Load(create(f, s, newOf("alpha"), fileItem("a", "b")), nil)
	if err != nil {
		f.Fatal(err)
	}
	entries := listed(f, whole.Index).Entries
	b := Backup{Dir: f.TempDir()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > enough {
			return
		}
		m := *whole
		m.Schema, m.Blocks, m.IndexFile = archive.SchemaArchive, nil, nil
		content, frames := stored(raw)
		m.Index = &archive.Index{Frames: frames, Entries: entries}
		m.Archive.Bytes = int64(len(content))
		if err := os.WriteFile(filepath.Join(b.Dir, archive.ArchiveName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := archive.Open(t.Context(), b.Dir, &m, archive.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		err = verifyEntries(t.Context(), r, &m)
		damage, ok := errors.AsType[*archive.DamageError](err)
		if !ok { // at the least, the SHA-256 is another one
			t.Fatalf("err = %v", err)
		}
		if damage.Kind == archive.DamageFrame || damage.Kind == archive.DamageTruncated && strings.Contains(damage.Error(), "frame") {
			t.Errorf("a frame that is whole is called damaged: %v", damage)
		}
	})
}
