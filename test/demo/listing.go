package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// listBackup shows one archive with the tar that everybody has; only the decompression is ours, for machines without
// zstd.
func (d *demo) listBackup(ctx context.Context, root string) error {
	found, err := filepath.Glob(filepath.Join(root, names()[0], "*", "archive.tar.zst"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("%d archives of %q below %s: %w", len(found), names()[0], root, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer plain.Close()
	fmt.Fprintf(d.out, "\n$ zstd -dc %s | tar -tvf -\n", found[0])
	tar := exec.CommandContext(ctx, "tar", "-tvf", "-")
	tar.Stdin, tar.Stdout, tar.Stderr = plain, d.out, d.out
	return tar.Run()
}
