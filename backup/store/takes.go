package store

import (
	"os"
	"path/filepath"

	"sandkeeper/backup/archive"
)

// Beside is how many bytes the files beside b's archive take: its index, its recipe and the note of its pack.
func (b Backup) Beside() int64 {
	var bytes int64
	for _, file := range []*archive.ArchiveFile{b.Manifest.IndexFile, b.Manifest.PackNote, b.Manifest.RecipeFile} {
		if file != nil {
			bytes += file.Bytes
		}
	}
	return bytes
}

// changedPart is how much of a home is thought to change until its next backup, where nothing tells: one part in so
// many.
const changedPart = 8

// Next is about how many bytes the backup after b will take: as many as b did, or a part of its archive where that
// alone holds all of the content, which the next one will share.
func (b Backup) Next() int64 {
	if b.Manifest.Blocks != nil && b.Manifest.SelfContained() {
		return b.Manifest.Archive.Bytes/changedPart + b.Beside()
	}
	return b.Manifest.Archive.Bytes + b.Beside()
}

// Retired is how many bytes are kept of the removed backups of a name, because others share them. What cannot be seen
// is not counted.
func (s *Store) Retired(name string) (bytes int64) {
	folders, _ := s.folders(name)
	for _, folder := range folders {
		files, _ := os.ReadDir(filepath.Join(s.folder(folder), archive.RetiredFolder))
		for _, file := range files {
			if info, err := file.Info(); err == nil {
				bytes += info.Size()
			}
		}
	}
	return bytes
}
