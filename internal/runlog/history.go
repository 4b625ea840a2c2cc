package runlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"sandkeeper/internal/disk"
)

// The history is cut to its newest half when it is longer than historyLimit bytes: some thousand runs.
const historyLimit = 1 << 20

// File is where the history of a user lies, in XDG's state folder.
func File(stateHome string) string { return filepath.Join(stateHome, "sandkeeper", "runs.jsonl") }

// ErrNotOurs means that the history is another user's: root with somebody's HOME writes nothing there.
var ErrNotOurs = errors.New("it is not this user's own")

// Append adds a run to the history at path. Several processes may do so at once. The folder is made when it is not
// there.
func Append(path string, r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("history of runs: %w", err)
	}
	f, err := open(path, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return fmt.Errorf("history of runs: %w", err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("history of runs: %w", err)
	}
	if torn, err := disk.Torn(f); err == nil && torn {
		line = append([]byte("\n"), line...)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("history of runs: %w", err)
	}
	return shorten(f)
}

// makeFolder makes dir where what it would lie in is this user's own: a folder that root makes in somebody's home locks
// its owner out.
func makeFolder(dir string) error {
	above, err := os.Stat(dir)
	for at := dir; errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at); {
		at = filepath.Dir(at)
		above, err = os.Stat(at)
	}
	if err != nil {
		return err
	}
	if stat, ok := above.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: %w", dir, ErrNotOurs)
	}
	return os.MkdirAll(dir, 0o700)
}

// open opens the plain file at path, which must be this user's own, as its folder must, and follows no link.
func open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	folder, err := os.Lstat(filepath.Dir(path))
	var file fs.FileInfo
	if err == nil {
		file, err = f.Stat()
	}
	if err == nil && (!ours(folder) || !ours(file) || !file.Mode().IsRegular()) {
		err = fmt.Errorf("%s: %w", path, ErrNotOurs)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func ours(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode()&(fs.ModeSymlink|0o022) == 0
}

// shorten cuts a history that has grown too long, in place: whoever waits for the lock has this very file open.
func shorten(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() <= historyLimit {
		return err
	}
	kept, err := io.ReadAll(io.NewSectionReader(f, info.Size()-historyLimit/2, historyLimit))
	if err != nil {
		return err
	}
	_, kept, _ = bytes.Cut(kept, []byte("\n")) // the first line is a part of one
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.Write(kept)
	return err
}

// Read gives the history at path, the newest run first. No history is none; a line that cannot be read is passed over.
func Read(path string) ([]Record, error) {
	f, err := open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("history of runs: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*historyLimit))
	if err != nil {
		return nil, fmt.Errorf("history of runs: %w", err)
	}
	var records []Record
	for line := range bytes.Lines(text) {
		var r Record
		if json.Unmarshal(line, &r) == nil && !r.At.IsZero() {
			records = append(records, r)
		}
	}

	slices.Reverse(records)
	return records, nil
}
