package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// diskUse is how much all files below dir hold; a file with several names counts once.
func diskUse(dir string) (int64, error) {
	total, seen := int64(0), map[uint64]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			if seen[stat.Ino] {
				return nil
			}
			seen[stat.Ino] = true
		}

		total += info.Size()
		return nil
	})
	return total, err
}

// firstSize is the size of the archive of the oldest backup of a sandbox.
func firstSize(sandbox string) (int64, error) {
	found, err := filepath.Glob(filepath.Join(sandbox, "*", "archive.tar.zst"))
	if err != nil || len(found) == 0 {
		return 0, fmt.Errorf("no archive in %s: %w", sandbox, err)
	}
	return fileSize(found[0])
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
