package trust

import (
	"fmt"
	"os"
	"syscall"
)

// Open opens the program at path for a process with effective user id uid, and judges what it opened as Executable
// does: whatever happens to the path afterwards, the open file is what was judged. Errors are those of Executable, or
// of opening it.
func Open(path string, uid int) (*os.File, error) {
	real, info, err := follow(path, uid)
	if err != nil {
		return nil, err
	}
	if err := File(info, real, uid); err != nil {
		return nil, err
	}

	// A program that turned into a pipe or a link meanwhile is neither waited for nor followed.
	f, err := os.OpenFile(real, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := judged(f, real, uid); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func judged(f *os.File, name string, uid int) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	if err := File(opened, name, uid); err != nil {
		return fmt.Errorf("it changed while it was looked at: %w", err)
	}
	return nil
}
