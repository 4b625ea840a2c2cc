package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sandkeeper/internal/disk"
)

// fileLimit bounds what is read of a scheduler's file.
const fileLimit = 1 << 16

// ErrForeign means that a file of the name that ours has is not ours.
var ErrForeign = errors.New("sandkeeper did not write it")

// old is the content of a file of ours; nil when there is no such file. A file that is not ours wraps ErrForeign.
func old(path string) ([]byte, error) {
	content, err := disk.ReadPlain(path, fileLimit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w: %w", path, ErrForeign, err)
	case !bytes.Contains(content, []byte(Mark)):
		return nil, fmt.Errorf("%s: %w", path, ErrForeign)
	}
	return content, nil
}

// replacement is a number of files that become visible one after the other, and can be taken back.
type replacement struct {
	files []File
	old   [][]byte // what each held before; nil: it was not there
	done  int
}

// prepare looks at all files before the first is written.
func prepare(files []File) (*replacement, error) {
	r := &replacement{files: files}
	for _, file := range files {
		before, err := old(file.Path)
		if err != nil {
			return nil, err
		}
		r.old = append(r.old, before)
	}
	return r, nil
}

func (r *replacement) write() error {
	for _, file := range r.files {
		if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
			return err
		}
		if err := publish(file.Path, []byte(file.Content)); err != nil {
			return err
		}
		r.done++
	}
	return nil
}

func publish(path string, content []byte) error {
	return disk.Publish(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// undo puts back what was there.
func (r *replacement) undo() error {
	var problems error
	for i, file := range r.files[:r.done] {
		if r.old[i] == nil {
			problems = errors.Join(problems, disk.IgnoreMissing(os.Remove(file.Path)))
		} else {
			problems = errors.Join(problems, publish(file.Path, r.old[i]))
		}
	}
	return problems
}
