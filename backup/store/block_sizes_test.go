package store

import (
	"fmt"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// TestFilesAsLongAsABlock: a backup of files that are as long as a block, a byte shorter or longer, or several blocks is proven to its last byte. One
// of exactly a block was given the digest of nothing, so that its backup counted as damaged.
func TestFilesAsLongAsABlock(t *testing.T) {
	const block = 128 << 10
	items := []item{folderItem(".")}
	for _, begin := range []string{"", "SQLite format 3\x00\x10\x00"} {
		for _, size := range []int{0, 1, 4096, 8192, block - 1, block, block + 1, 2 * block, 2*block + 1} {
			body := strings.Repeat("a file of the home. ", size/20+1)[:size]
			if begin != "" && size > len(begin) {
				body = begin + body[len(begin):]
			}
			items = append(items, fileItem(fmt.Sprintf("%d-%d", len(begin), size), body))
		}
	}
	s := testStore(t, Options{})
	for range 2 { // the second has all its blocks already
		b, err := s.Create(t.Context(), NewBackup{Manifest: archive.Manifest{Sandbox: "alpha"}}, fillWith(items...))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.VerifyWith(t.Context(), b, VerifyOptions{ReadData: true}); err != nil {
			t.Error(err)
		}
	}
}
