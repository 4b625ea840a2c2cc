package sqlitefile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// lockedTry is from which try on a copy asks the writers to wait, as every reader of SQLite does.
const lockedTry = 4

// copyTries is how often a copy of a database in use is begun again.
const copyTries = 40

// Copy writes one consistent state of the database at path into the empty file to, with the committed part of the write-ahead log
// put in place, as a checkpoint would. The database may be in use: the file is read twice, and only if both times it was the
// same, no journal was there and the log was not begun again, is the copy taken. A database that is never still for that long
// is read under a lock: without a log the one that any reader takes, for which writers wait as long as the file takes to read; with
// a log the one that keeps it from being put into the file, for which no writer waits.
func Copy(ctx context.Context, path string, to *os.File) error {
	var problem error
	for try := range copyTries {
		if try > 0 && !wait(ctx, pause) {
			return errors.Join(context.Cause(ctx), problem)
		}
		problem = copyOnce(ctx, path, to, try >= lockedTry)
		if problem == nil || errors.Is(problem, fs.ErrNotExist) || errors.Is(problem, ErrForeign) {
			return problem
		}
	}
	return problem
}

func copyOnce(ctx context.Context, path string, to *os.File, mayLock bool) error {
	f, err := openPlain(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := stampOf(f, path)
	if err != nil {
		return err
	}
	if err := to.Truncate(0); err != nil {
		return err
	}
	switch {
	case mayLock && s.inLog:
		return copyLogged(ctx, f, path, to)
	case mayLock:
		return copyLocked(ctx, f, path, to)
	}
	return copyStill(ctx, f, path, s, to)
}

// copyLogged copies a database with a log while nobody puts the log into its file. Writers go on; the log grows meanwhile.
func copyLogged(ctx context.Context, f *os.File, path string, to *os.File) error {
	release, err := holdCheckpoints(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer release()
	s, err := stampOf(f, path)
	if err != nil {
		return err
	}
	return copyStill(ctx, f, path, s, to)
}

// copyLocked copies a database without a log while no writer can change it. What was seen before the lock was taken counts for
// nothing: a writer may have died in the middle since.
func copyLocked(ctx context.Context, f *os.File, path string, to *os.File) error {
	unlock, err := lockShared(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer unlock()
	s, err := stampOf(f, path)
	switch {
	case err != nil:
		return err
	case s.inLog:
		return beingWritten(path)
	case s.journal && !reserved(f):
		return unfinished(path)
	}
	_, err = digest(ctx, f, io.NewOffsetWriter(to, 0))
	return err
}

// copyStill copies a database that nobody writes to, and finds out afterwards whether that was so.
func copyStill(ctx context.Context, f *os.File, path string, before stamp, to *os.File) error {
	if before.journal {
		return unfinished(path)
	}
	first, err := digest(ctx, f, io.NewOffsetWriter(to, 0))
	if err != nil {
		return err
	}
	if err := applyLog(path, before, to); err != nil {
		return err
	}
	second, err := digest(ctx, f, io.Discard)
	if err != nil {
		return err
	}
	after, err := stampOf(f, path)
	if err == nil && (first != second || !before.sameAs(after)) {
		err = beingWritten(path)
	}
	return err
}

func beingWritten(path string) error { return fmt.Errorf("%s is being written to: %w", path, ErrBusy) }

// sameAs compares without the time: equal bytes prove more.
func (s stamp) sameAs(other stamp) bool {
	s.changed, other.changed = time.Time{}, time.Time{}
	return s == other
}

func digest(ctx context.Context, f *os.File, into io.Writer) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	buffer := make([]byte, 256<<10)
	source := io.NewSectionReader(f, 0, 1<<62)
	for {
		if err := context.Cause(ctx); err != nil {
			return sum, err
		}
		n, err := source.Read(buffer)
		h.Write(buffer[:n])
		if _, err := into.Write(buffer[:n]); err != nil {
			return sum, err
		}
		if errors.Is(err, io.EOF) {
			return [sha256.Size]byte(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
	}
}

// applyLog puts the committed pages of the log where a checkpoint would.
func applyLog(path string, s stamp, to *os.File) error {
	wal, err := openLog(path, s)
	if err != nil || wal == nil {
		return err
	}
	defer wal.Close()
	if err := wal.apply(to, s.pageSize); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (l *writeLog) apply(to *os.File, pageSize int) error {
	if l.commits == 0 {
		return nil
	}
	if l.pageSize != pageSize {
		return fmt.Errorf("its log has pages of %d bytes, not %d: %w", l.pageSize, pageSize, ErrTorn)
	}
	content := make([]byte, l.pageSize)
	for page, at := range l.frames {
		if page > l.pages {
			continue
		}
		if _, err := l.f.ReadAt(content, at); err != nil {
			return fmt.Errorf("its log cannot be read: %w", err)
		}
		if _, err := to.WriteAt(content, int64(page-1)*int64(l.pageSize)); err != nil {
			return err
		}
	}
	return to.Truncate(int64(l.pages) * int64(l.pageSize))
}
