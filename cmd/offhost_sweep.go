package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/internal/disk"
)

// fetchedPrefix begins the names of the folders, beside the backups, into which commands bring what they open of a bucket.
const fetchedPrefix = ".fetched-"

// holdFetched makes the folder dir for what is opened of a bucket, and holds it. A sweep of another run may remove it
// before it is held; then it is made again.
func holdFetched(dir string) (held *os.File, err error) {
	for range 10 {
		if err := disk.IgnoreExists(os.Mkdir(dir, 0o700)); err != nil {
			return nil, err
		}
		held, err = disk.HoldFolder(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return held, err
}

// sweepFetched removes what killed commands have left of that: it is in plain text. What a living one holds stays.
func sweepFetched(root string) (problems error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), fetchedPrefix) {
			continue
		}
		dir := filepath.Join(root, e.Name())
		held, err := disk.HoldFolder(dir)
		if err == nil {
			err = errors.Join(os.RemoveAll(dir), held.Close())
		}
		if err != nil && !errors.Is(err, disk.ErrHeld) && !errors.Is(err, fs.ErrNotExist) {
			problems = errors.Join(problems, fmt.Errorf("what a killed run has brought from a bucket is left: %w", err))
		}
	}
	return errors.Join(problems, err)
}
