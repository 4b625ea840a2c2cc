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

// The steps of a day, named as the report shows them. Ten days are the first one and nine more, measured by their bytes
// alone.
const (
	aDay          = "sandkeeper backup-all --offline: a day later"
	resticADay    = "restic backup: a day later (plain files)"
	borgADay      = "borg create -C zstd,1: a day later (plain files)"
	tenDays       = "sandkeeper: ten days"
	resticTenDays = "restic: ten days"
	borgTenDays   = "borg: ten days"
	moreDays      = 9
)

// day is the home of docs/design.md 9 a day later: 1 % of the small files rewritten, 1 % appended to a log, 1 % of the
// rows of a SQLite database changed, which is one page each. It is done to the plain files, and what changed is copied
// into the container.
type day struct {
	*saving
	rows  int
	past  uint64 // days
	peers []peer
	added map[string]int64 // bytes on disk that each step added, by step
}

// peer is a tool that saves the home once more.
type peer struct {
	step   step // one backup
	tenth  string
	folder string // where it keeps them
}

// rowBytes fills a page of the database but for what SQLite needs of it.
const rowBytes = 3600

func (s *saving) newDay(again step) *day {
	d := &day{saving: s, rows: 105_000_000 / 4096 / s.part, added: map[string]int64{}}
	d.peers = []peer{{s.backup(aDay), tenDays, filepath.Join(s.dir, "root")}}
	if again.argv != nil {
		again.name = resticADay
		d.peers = append(d.peers, peer{again, resticTenDays, filepath.Join(s.dir, "restic")})
	}
	if installed("borg") {
		d.peers = append(d.peers, peer{s.borgCall(borgADay, "create", "-C", "zstd,1", "::{utcnow:%s.%f}", s.plain), borgTenDays, filepath.Join(s.dir, "borg")})
	}
	return d
}

func (s *saving) borgCall(name string, args ...string) step {
	env := append(os.Environ(), "BORG_REPO="+filepath.Join(s.dir, "borg"), "BORG_BASE_DIR="+filepath.Join(s.dir, "borg-base"),
		"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes")
	return step{name: name, argv: append([]string{"borg"}, args...), env: env}
}

func (d *day) home() string { return filepath.Join(d.plain, "sandbox") }

// steps are a day with sandkeeper and with the other tools that are installed.
func (d *day) steps() []step {
	var steps []step
	for _, p := range d.peers {
		s := p.step
		s.before = func(context.Context) error { return d.use(s.name, p.folder) }
		s.after = func(context.Context) error { return d.grown(s.name, p.folder) }
		steps = append(steps, s)
	}

	start, end := steps[0].before, steps[len(steps)-1].after
	steps[0].before = func(ctx context.Context) error {
		if err := d.begin(ctx); err != nil {
			return err
		}
		return errors.Join(d.pass(ctx), start(ctx))
	}
	steps[len(steps)-1].after = func(ctx context.Context) error { return errors.Join(end(ctx), d.goOn(ctx), d.end(ctx)) }
	return steps
}

// goOn lets the other days pass, in the first round.
func (d *day) goOn(ctx context.Context) error {
	if d.past > 1 {
		return nil
	}
	for _, p := range d.peers {
		if err := d.use(p.tenth, p.folder); err != nil {
			return err
		}
	}

	for range moreDays {
		if err := d.pass(ctx); err != nil {
			return err
		}
		for _, p := range d.peers {
			if _, err := p.step.run(ctx); err != nil {
				return err
			}
		}
	}

	for _, p := range d.peers {
		if err := d.grown(p.tenth, p.folder); err != nil {
			return err
		}
		d.added[p.tenth] += d.added[p.step.name]
	}

	return nil
}

// use notes what a folder has before a step, and grown what the step added to it.
func (d *day) use(name, folder string) (err error) {
	d.added[name], err = diskUse(folder)
	return err
}

func (d *day) grown(name, folder string) error {
	now, err := diskUse(folder)
	d.added[name] = now - d.added[name]
	return err
}

// begin adds the database to the home, and saves it once with both.
func (d *day) begin(ctx context.Context) error {
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
	return d.saveAll(ctx)
}

// saveAll makes the backups that the day's are compared with, in repositories that may not be there yet.
func (d *day) saveAll(ctx context.Context) error {
	for _, made := range []struct {
		name   string
		create step
	}{{"restic", d.resticCall(resticInit, "init")}, {"borg", d.borgCall("borg init", "init", "-e", "none")}} {
		if _, err := os.Stat(filepath.Join(d.dir, made.name)); err == nil || !installed(made.name) {
			continue
		}
		if _, err := made.create.run(ctx); err != nil {
			return err
		}
	}

	for _, p := range d.peers {
		if _, err := p.step.run(ctx); err != nil {
			return err
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
	d.past++
	pick, text, data := rand.New(rand.NewPCG(seed, 4+d.past)), newText(), dataOf(d.part)
	changed := []string{"memory.db", "big-2.bin"}
	for range data.small / 100 {
		i := pick.IntN(data.small)
		name := fmt.Sprintf("notes/%03d/%05d.md", i/100, i)
		if err := write(filepath.Join(d.home(), name), os.O_TRUNC, text.small(i+int(d.past)*data.small), data.smallSize(i)); err != nil {
			return err
		}
		changed = append(changed, name)
	}

	if err := write(filepath.Join(d.home(), "big-2.bin"), os.O_APPEND, text.log(6+int(d.past)), data.bigSize/100); err != nil {
		return err
	}
	err := onDatabase(filepath.Join(d.home(), "memory.db"), func(db *sql.Tx) error {
		source := randomBytes(1<<50 + d.past)
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
