package sqlitefile

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// writeLog is the committed part of a write-ahead log.
type writeLog struct {
	f        *os.File
	pageSize int
	pages    uint32           // of the database after the last commit
	commits  int              // transactions in the log
	frames   map[uint32]int64 // page → where its content begins
}

// openLog reads the log beside the database at path; nil when there is none that counts.
func openLog(path string, s stamp) (*writeLog, error) {
	if !s.inLog {
		return nil, nil
	}
	f, err := openPlain(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := &writeLog{f: f}
	if err := l.read(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Close ends the reading.
func (l *writeLog) Close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}

const (
	logHeader   = 32
	frameHeader = 24
)

// read goes through the frames as recovery would: each must carry the log's salt and continue its checksum; what follows the
// last commit, or comes after the start, does not count.
func (l *writeLog) read() error {
	var head [logHeader]byte
	if _, err := l.f.ReadAt(head[:], 0); err != nil {
		return notAtEnd(err)
	}
	number := binary.BigEndian.Uint32(head[:])
	l.pageSize = int(binary.BigEndian.Uint32(head[8:]))
	if number&^1 != 0x377f0682 || l.pageSize < 512 || l.pageSize > 65536 || l.pageSize&(l.pageSize-1) != 0 {
		return nil
	}
	sum := checksum{order: binary.LittleEndian}
	if number&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	if !sum.is(head[24:]) {
		return nil
	}
	open := map[uint32]int64{} // of the transaction that is not committed yet
	frame := make([]byte, frameHeader+l.pageSize)
	info, err := l.f.Stat()
	if err != nil {
		return err
	}
	source := io.NewSectionReader(l.f, logHeader, info.Size()-logHeader) // writers may append faster than this reads
	for at := int64(logHeader); ; at += int64(len(frame)) {
		if _, err := io.ReadFull(source, frame); err != nil {
			return notAtEnd(err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		if [8]byte(frame[8:16]) != [8]byte(head[16:24]) || !sum.is(frame[16:24]) {
			return nil
		}
		open[binary.BigEndian.Uint32(frame)] = at + frameHeader
		if pages := binary.BigEndian.Uint32(frame[4:]); pages > 0 {
			l.commit(open, pages)
		}
	}
}

func (l *writeLog) commit(open map[uint32]int64, pages uint32) {
	if l.frames == nil {
		l.frames = map[uint32]int64{}
	}
	for page, at := range open {
		l.frames[page] = at
	}
	clear(open)
	l.pages = pages
	l.commits++
}

func notAtEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// checksum is the log's: two sums over 32-bit words, each feeding the other.
type checksum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (c *checksum) add(content []byte) {
	for ; len(content) >= 8; content = content[8:] {
		c.a += c.order.Uint32(content) + c.b
		c.b += c.order.Uint32(content[4:]) + c.a
	}
}

func (c *checksum) is(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == c.a && binary.BigEndian.Uint32(stored[4:]) == c.b
}
