package store

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/disk"
)

// archiveSink is the archive's file while it is written: made at the first byte, with its SHA-256 and length taken in
// line.
type archiveSink struct {
	staging *disk.Staging
	name    string
	file    disk.File // nil until the first byte
	sum     hash.Hash
	size    int64
}

func newArchiveSink(s *disk.Staging, name string) *archiveSink {
	return &archiveSink{staging: s, name: name, sum: sha256.New()}
}

func (a *archiveSink) open() (err error) {
	if a.file == nil {
		a.file, err = a.staging.Create(a.name)
	}
	return err
}

// Write appends packed bytes.
func (a *archiveSink) Write(p []byte) (int, error) {
	if err := a.open(); err != nil {
		return 0, err
	}
	n, err := a.file.Write(p)
	a.sum.Write(p[:n])
	a.size += int64(n)
	return n, err
}

// finish makes the bytes durable.
func (a *archiveSink) finish() (archive.ArchiveFile, error) {
	if err := a.open(); err != nil {
		return archive.ArchiveFile{}, err
	}
	f := a.file
	a.file = nil
	if err := disk.FinishFile(f, a.name); err != nil {
		return archive.ArchiveFile{}, err
	}
	return archive.ArchiveFile{File: a.name, Bytes: a.size, SHA256: a.digest()}, nil
}

// digest is the SHA-256 of what was written so far.
func (a *archiveSink) digest() string { return hex.EncodeToString(a.sum.Sum(nil)) }

// abandon closes the file without a promise; the staging removes it.
func (a *archiveSink) abandon() {
	if a.file != nil {
		_ = a.file.Close()
		a.file = nil
	}
}
