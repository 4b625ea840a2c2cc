package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// archiveSink is the archive's file while it is written: made at the first byte, with its SHA-256 and length taken in line.
type archiveSink struct {
	staging *staging
	name    string
	file    diskFile // nil until the first byte
	sum     hash.Hash
	size    int64
}

func newArchiveSink(s *staging, name string) *archiveSink {
	return &archiveSink{staging: s, name: name, sum: sha256.New()}
}

func (a *archiveSink) open() (err error) {
	if a.file == nil {
		a.file, err = a.staging.create(a.name)
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
func (a *archiveSink) finish() (ArchiveFile, error) {
	if err := a.open(); err != nil {
		return ArchiveFile{}, err
	}
	f := a.file
	a.file = nil
	if err := finishFile(f, a.name); err != nil {
		return ArchiveFile{}, err
	}
	return ArchiveFile{File: a.name, Bytes: a.size, SHA256: hex.EncodeToString(a.sum.Sum(nil))}, nil
}

// abandon closes the file without a promise; the staging removes it.
func (a *archiveSink) abandon() {
	if a.file != nil {
		_ = a.file.Close()
		a.file = nil
	}
}
