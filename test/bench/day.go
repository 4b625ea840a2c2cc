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
	"slices"

	_ "modernc.org/sqlite" // the driver of the database that a day changes
)

// The steps of a day, named as the page shows them.
const (
	aDay          = "sandkeeper backup-all --offline: a day later"
	resticADay    = "restic backup: a day later (plain files)"
	borgADay      = "borg create -C zstd,1: a day later (plain files)"
	tenDays       = "sandkeeper: a first backup and ten days"
	resticTenDays = "restic: a first backup and ten days"
	borgTenDays   = "borg: a first backup and ten days"
	verifyAll     = "sandkeeper backups verify --read-data: all eleven backups"
)

// day is the home of docs/design.md 9 a day later: 1 % of the small files rewritten, 1 % appended to a log, 1 % of the
// rows of a SQLite database changed, which is one page each. It is done to the plain files, and what changed is copied
// into the container.
type day struct {
	*saving
	rows  int
	peers []peer
	tools []tool
	added map[string]int64 // bytes on disk that each step added, by step
}

// peer is a tool that saves the home once more.
type peer struct {
	step   step // one backup
	all    string
	folder string // where it keeps them
}

// rowBytes fills a page of the database but for what SQLite needs of it.
const rowBytes = 3600

func (s *saving) newDay(r *section, repository string) *day {
	d := &day{saving: s, rows: 105_000_000 / 4096 / s.part, added: map[string]int64{}, tools: s.tools(r, repository)}
	d.peers = []peer{{s.backup(aDay, s.root), tenDays, s.root}}
	for _, t := range d.tools {
		names := map[string][2]string{"restic": {resticADay, resticTenDays}, "borg": {borgADay, borgTenDays}}[t.name]
		d.peers = append(d.peers, peer{t.save(names[0], s.plain), names[1], t.folder})
	}
	return d
}

func (d *day) home() string { return filepath.Join(d.plain, "sandbox") }

// aDay measures what a day costs, each of the rounds on another day of the same series.
func (b *bench) aDay(ctx context.Context, r *section) error {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	d := s.newDay(r, "day")
	if err := d.begin(ctx); err != nil {
		return err
	}
	samples, err := rounds(ctx, b.rounds, b.enough, d.steps(), b.say)
	if err != nil {
		return err
	}
	r.day(samples, d.added)
	return d.end(ctx)
}

// tenDays measures what a first backup and ten days add up to on the disk, and proves all eleven.
func (b *bench) tenDays(ctx context.Context, r *section) error {
	s, err := b.saved(ctx, r)
	if s == nil || err != nil {
		return err
	}
	d := s.newDay(r, "ten")
	if err := d.begin(ctx); err != nil {
		return err
	}
	samples := map[string][]sample{}
	for range 10 {
		taken, err := rounds(ctx, 1, b.enough, d.steps(), b.say)
		if err != nil {
			return err
		}
		for name, took := range taken {
			samples[name] = append(samples[name], took...)
		}
	}
	for _, p := range d.peers {
		if d.added[p.all], err = diskUse(p.folder); err != nil {
			return err
		}
	}
	proof := s.sandkeeper(verifyAll, s.env, "backups", "verify", "--read-data", "--backup-dir", s.root)
	taken, err := rounds(ctx, 1, b.enough, []step{proof}, b.say)
	if err != nil {
		return err
	}
	samples[verifyAll] = taken[verifyAll]
	whole, err := firstSize(filepath.Join(s.root, s.full.sandbox))
	if err != nil {
		return err
	}
	r.tenDays(samples, d.added, whole)
	return d.end(ctx)
}

// steps are a day with sandkeeper and with the other tools that are installed.
func (d *day) steps() []step {
	var steps []step
	for i, p := range d.peers {
		s := p.step
		s.before = func(ctx context.Context) error {
			if i == 0 {
				if err := d.pass(ctx); err != nil {
					return err
				}
			}
			return d.use(s.name, p.folder)
		}
		s.after = func(context.Context) error { return d.grown(s.name, p.folder) }
		steps = append(steps, s)
	}
	return steps
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

// begin adds the database to the home, and saves it once with all.
func (d *day) begin(ctx context.Context) error {
	if err := d.makeDatabase(ctx); err != nil {
		return err
	}
	if err := d.carry(ctx, []string{"memory.db"}); err != nil {
		return err
	}
	steps := []step{again(d.peers[0].step, d.root)}
	for i, t := range d.tools {
		steps = append(steps, t.init, d.peers[i+1].step)
	}
	return unmeasured(ctx, steps...)
}

func (d *day) makeDatabase(ctx context.Context) error {
	return onDatabase(filepath.Join(d.home(), "memory.db"), func(db *sql.Tx) error {
		if _, err := db.ExecContext(ctx, "CREATE TABLE memory (id INTEGER PRIMARY KEY, text BLOB)"); err != nil {
			return err
		}
		source := randomBytes(1 << 50)
		for i := range d.rows {
			if err := putRow(ctx, db, i, source); err != nil {
				return err
			}
		}
		return nil
	})
}

func putRow(ctx context.Context, db *sql.Tx, row int, source io.Reader) error {
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
	d.saving.past++
	past := d.saving.past
	pick, text, data := rand.New(rand.NewPCG(seed, 4+past)), newText(), dataOf(d.part)
	changed := []string{"memory.db", "big-2.bin"}
	for range data.small / 100 {
		i := pick.IntN(data.small)
		name := fmt.Sprintf("notes/%03d/%05d.md", i/100, i)
		if err := write(filepath.Join(d.home(), name), os.O_TRUNC, text.small(i+int(past)*data.small), data.smallSize(i)); err != nil {
			return err
		}
		changed = append(changed, name)
	}

	if err := write(filepath.Join(d.home(), "big-2.bin"), os.O_APPEND, text.log(6+int(past)), data.bigSize/100); err != nil {
		return err
	}
	err := onDatabase(filepath.Join(d.home(), "memory.db"), func(db *sql.Tx) error {
		source := randomBytes(1<<50 + past)
		for range d.rows / 100 {
			if err := putRow(ctx, db, pick.IntN(d.rows), source); err != nil {
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
	slices.Sort(names)
	list.Args = append(list.Args, slices.Compact(names)...) // tar makes the second of two equal names a link to itself
	if out, err := list.CombinedOutput(); err != nil {
		return fmt.Errorf("copy what changed: %w\n%s", err, out)
	}
	return nil
}

// end takes the database out again, for the data set of the other groups has none, and removes what was saved.
func (d *day) end(ctx context.Context) error {
	_, err := docker(ctx, nil, "exec", d.full.name, "/bin/busybox", "rm", "/sandbox/memory.db")
	return errors.Join(err, os.Remove(filepath.Join(d.home(), "memory.db")), dropTools(d.tools), os.RemoveAll(d.root))
}
