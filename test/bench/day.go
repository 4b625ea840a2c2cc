package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver of the database that a day changes
)

// The steps of a day, named as the report shows them.
const (
	aDay       = "sandkeeper backup-all --offline: a day later"
	resticADay = "restic backup: a day later (plain files)"
)

// day is the home of docs/design.md 9 a day later: 1 % of the small files rewritten, 1 % appended to a log, 1 % of the rows of a SQLite
// database changed, which is one page each. It is done to the plain files, and what changed is copied into the container.
type day struct {
	*saving
	rows  int
	added map[string]int64 // bytes on disk that each step added, by step
}

// rowBytes fills a page of the database but for what SQLite needs of it.
const rowBytes = 3600

func (s *saving) newDay() *day {
	return &day{saving: s, rows: 105_000_000 / 4096 / s.part, added: map[string]int64{}}
}

func (d *day) home() string { return filepath.Join(d.plain, "sandbox") }

// steps are a day with sandkeeper and, where it is installed, with restic.
func (d *day) steps(backup, restic step) []step {
	root, repository := filepath.Join(d.dir, "root"), filepath.Join(d.dir, "restic")
	ours := d.measured(aDay, backup, root)
	ours.before = func(ctx context.Context) error {
		if err := d.begin(ctx, backup, restic); err != nil {
			return err
		}
		return errors.Join(d.pass(ctx), d.use(aDay, root))
	}
	steps := []step{ours}
	if restic.argv != nil {
		theirs := d.measured(resticADay, restic, repository)
		theirs.before = func(context.Context) error { return d.use(resticADay, repository) }
		steps = append(steps, theirs)
	}
	last := &steps[len(steps)-1]
	measure := last.after
	last.after = func(ctx context.Context) error { return errors.Join(measure(ctx), d.end(ctx)) }
	return steps
}

// measured is a step under another name that notes what it added to a folder.
func (d *day) measured(name string, s step, folder string) step {
	s.name = name
	s.after = func(context.Context) error {
		now, err := diskUse(folder)
		d.added[name] = now - d.added[name]
		return err
	}
	return s
}

func (d *day) use(name, folder string) (err error) {
	d.added[name], err = diskUse(folder)
	return err
}

// begin adds the database to the home, and saves it once with both.
func (d *day) begin(ctx context.Context, backup, restic step) error {
	path := filepath.Join(d.home(), "memory.db")
	err := onDatabase(path, func(db *sql.Tx) error {
		if _, err := db.ExecContext(ctx, "CREATE TABLE memory (id INTEGER PRIMARY KEY, text BLOB)"); err != nil {
			return err
		}
		source := randomBytes(1 << 50)
		for i := range d.rows {
			if err := put(ctx, db, i, source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := d.carry(ctx, []string{"memory.db"}); err != nil {
		return err
	}
	for _, s := range []step{backup, restic} {
		if s.argv != nil {
			if _, err := s.run(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func put(ctx context.Context, db *sql.Tx, row int, source io.Reader) error {
	text := make([]byte, rowBytes)
	if _, err := io.ReadFull(source, text); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "INSERT OR REPLACE INTO memory VALUES (?, ?)", row, text)
	return err
}

func onDatabase(path string, work func(*sql.Tx) error) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err == nil {
		err = errors.Join(work(tx), tx.Commit())
	}
	return errors.Join(err, db.Close())
}

// pass lets the day pass.
func (d *day) pass(ctx context.Context) error {
	pick, text, data := rand.New(rand.NewPCG(seed, 5)), newText(), dataOf(d.part)
	changed := []string{"memory.db", "big-2.bin"}
	for range data.small / 100 {
		i := pick.IntN(data.small)
		name := fmt.Sprintf("notes/%03d/%05d.md", i/100, i)
		if err := write(filepath.Join(d.home(), name), os.O_TRUNC, text.small(i+data.small), data.smallSize(i)); err != nil {
			return err
		}
		changed = append(changed, name)
	}
	if err := write(filepath.Join(d.home(), "big-2.bin"), os.O_APPEND, text.log(7), data.bigSize/100); err != nil {
		return err
	}
	err := onDatabase(filepath.Join(d.home(), "memory.db"), func(db *sql.Tx) error {
		source := randomBytes(1<<50 + 1)
		for range d.rows / 100 {
			if err := put(ctx, db, pick.IntN(d.rows), source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.carry(ctx, changed)
}

func write(path string, how int, content io.Reader, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|how, 0)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, content, size)
	return errors.Join(err, f.Close())
}

// carry copies files of the plain home into the container, and waits until nothing is left to be written.
func (d *day) carry(ctx context.Context, names []string) error {
	list := exec.CommandContext(ctx, "bash", "-eo", "pipefail", "-c",
		fmt.Sprintf("sync; tar -c --numeric-owner --owner 1000 --group 1000 -C %s \"$@\" | docker cp - %s:/sandbox; sync; sleep 3", d.home(), d.full.name), "bash")
	list.Args = append(list.Args, names...)
	if out, err := list.CombinedOutput(); err != nil {
		return fmt.Errorf("copy what changed: %w\n%s", err, out)
	}
	return nil
}

// end takes the database out again: the data set of the other steps has none.
func (d *day) end(ctx context.Context) error {
	_, err := docker(ctx, nil, "exec", d.full.name, "/bin/busybox", "rm", "/sandbox/memory.db")
	return errors.Join(err, os.Remove(filepath.Join(d.home(), "memory.db")))
}
