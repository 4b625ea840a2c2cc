package upgrade

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/store"
	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/powercut"
)

// How many histories are tried, and from which seed: set by make soak, and by a run that divides its histories among processes.
const (
	historiesVariable = "SANDKEEPER_HISTORIES"
	seedVariable      = "SANDKEEPER_HISTORY_SEED"
)

// historiesAtOnce is how many histories one process tries: what a history's dead processes hold is let go of when that process ends, and the
// more is held, the longer the end of each takes (300 at once took half as much time again as 50 did).
const historiesAtOnce = 50

// TestHistories tries random histories of work, backups, restores, upgrades, ways on and back, deaths at any call to the engine or the
// gateway, answers that are lost, and clocks that step. After each of them the sandbox is not in neither place, no half backup is visible,
// nothing is frozen; after what takes up the work again it is there once, whole, as it was.
//
// A history follows from its seed; SANDKEEPER_HISTORY_SEED=N SANDKEEPER_HISTORIES=1 tries the one of seed N.
func TestHistories(t *testing.T) {
	n, first := historyNumber(historiesVariable, map[bool]int{true: 20, false: 300}[testing.Short()]), historyNumber(seedVariable, 1)
	if n > historiesAtOnce {
		divideHistories(t, first, n)
		return
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			for range 3 + h.rand.IntN(6) {
				h.step()
			}
			h.end()
		})
	}
}

func historyNumber(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

func divideHistories(t *testing.T, first, n int) {
	t.Helper()
	for at := first; at < first+n; at += historiesAtOnce {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHistories$", "-test.count=1", "-test.timeout=30m")
		c.Env = append(os.Environ(), fmt.Sprintf("%s=%d", historiesVariable, min(historiesAtOnce, first+n-at)), fmt.Sprintf("%s=%d", seedVariable, at))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("seeds from %d: %v\n%s", at, err, out)
		}
	}
}

// history is one sandbox through one history.
type history struct {
	t      *testing.T
	rand   *rand.Rand
	world  *world
	folder string // store and journals: what outlives a process
	disk   *powercut.Disk
	told   []string
	wrote  int

	home   map[string]string // of the sandbox as it is to be
	clock  time.Duration     // how far the clock has been set
	saved  []string          // backups that were reported as made
	redo   string            // the backup whose restore did not end
	before map[string]string // the home before that restore

	// unwatched: a process died, and its guard with it, and no command has ended since: what it had paused may be so.
	unwatched bool
}

func newHistory(t *testing.T, seed int) *history {
	t.Helper()
	folder, err := os.MkdirTemp("", "history") // not t.TempDir: what a dead process had begun to write may come after it is removed
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	grave, err := os.MkdirTemp("", "grave")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(grave) })
	chance := rand.New(rand.NewPCG(uint64(seed), 0))
	h := &history{t: t, rand: chance, disk: powercut.New(grave, rand.New(rand.NewPCG(uint64(seed), 1))), world: startWorld(t, "running", "alpha"), folder: folder}
	h.home = homeOf(homeDir())
	t.Cleanup(func() { t.Logf("the history:\n%s", strings.Join(h.told, "\n")) })
	return h
}

// step is one command, with what befalls it, or work in the sandbox, or a step of the clock.
func (h *history) step() {
	h.t.Helper()
	unfinished := h.unfinished()
	switch {
	case h.redo != "":
		h.restore(h.fate("restore"))
	case len(unfinished) > 0:
		command := []string{"resume", "rollback"}[h.rand.IntN(2)]
		h.run(command, h.fate(command))
	default:
		switch h.rand.IntN(12) {
		case 0:
			h.clock += time.Duration(h.rand.IntN(7200)-3600) * time.Second
			h.told = append(h.told, fmt.Sprintf("the clock is at %v", h.clock))
		case 1, 2:
			h.run("look", fate{})
			h.work()
		case 3, 4, 5, 6:
			h.run("backup", h.fate("backup"))
		case 7, 8:
			h.choose()
			h.restore(h.fate("restore"))
		default:
			h.run("upgrade", h.fate("upgrade"))
		}
	}
	h.holds()
}

// end takes up what is left without any further mishap, and looks whether all is as it is to be.
func (h *history) end() {
	h.t.Helper()
	for range 4 {
		switch {
		case h.redo != "":
			h.restore(fate{})
		case len(h.unfinished()) > 0:
			h.run([]string{"resume", "rollback"}[h.rand.IntN(2)], fate{})
		}
	}
	h.run("look", fate{})
	if left := h.unfinished(); len(left) > 0 || h.redo != "" {
		h.t.Fatalf("neither way ends it: %+v, restore of %q", left, h.redo)
	}
	h.isThere()
}

// work changes a file in the sandbox.
func (h *history) work() {
	h.t.Helper()
	h.wrote++
	content := fmt.Sprintf("day %d", h.wrote)
	h.world.put(h.t, h.isThere().ID, []dockertest.File{{Path: "/sandbox/notes.md", Data: []byte(content), Mode: 0o640}})
	h.home["/sandbox/notes.md"] = "0" + content
	h.told = append(h.told, "work: "+content)
}

// choose picks one of the backups to be restored next.
func (h *history) choose() {
	h.t.Helper()
	h.disk.Sync() // whoever chooses among backups does so long after they were written
	if all := h.backups(); len(all) > 0 {
		chosen := all[h.rand.IntN(len(all))]
		h.redo, h.before = chosen.ID, h.home
		h.home = mapsWith(h.home, "/sandbox/notes.md", "0"+fileIn(h.t, h.store(), chosen, "notes.md"))
	}
}

func mapsWith(m map[string]string, key, value string) map[string]string {
	changed := map[string]string{}
	for k, v := range m {
		changed[k] = v
	}
	changed[key] = value
	return changed
}

// restore restores the chosen backup; it stays chosen until that has ended.
func (h *history) restore(f fate) {
	h.t.Helper()
	if h.redo != "" && h.run("restore "+h.redo, f) {
		h.redo, h.before = "", nil
	}
}

// run runs one command as a process of its own; it reports whether it ended well.
func (h *history) run(command string, f fate) bool {
	h.t.Helper()
	p := h.begin(f)
	outcomes, err := p.do(h.t.Context(), command)
	h.told = append(h.told, fmt.Sprintf("%s, %v: %s, %v", command, f, outcomesInWords(outcomes), err))
	h.unwatched = errors.Is(err, errDied) && (h.unwatched || p.guard != nil && p.guard.died)
	if p.cut != nil {
		h.t.Fatalf("the power could not be cut: %v", p.cut)
	}
	h.world.mu.Lock()
	h.world.lost = ""
	h.world.mu.Unlock()
	if err == nil && command == "backup" {
		h.saved = append(h.saved, p.savedID)
	}
	return err == nil
}

// meanwhile is another command, while the one of the history is under way. One that only looks leaves everything as it is, and none takes
// back the pause of a run that lives.
func (h *history) meanwhile(command string) {
	before := h.states()
	p := h.begin(fate{})
	p.backups.LockWait = 50 * time.Millisecond
	outcomes, err := p.do(h.t.Context(), command)
	h.told = append(h.told, fmt.Sprintf("meanwhile %s: %s, %v", command, outcomesInWords(outcomes), err))
	if after := h.states(); after != before && (command == "look" || strings.Contains(before, " paused")) {
		h.t.Errorf("another command, %s, made this of a run that was under way: %s -> %s", command, before, after)
	}
}

// states are the containers, and what each of them does.
func (h *history) states() string {
	var all []string
	for _, c := range h.world.containers() {
		all = append(all, c.ID+" "+c.State)
	}
	return strings.Join(all, ", ")
}

func outcomesInWords(outcomes []Outcome) string {
	words := make([]string, 0, len(outcomes))
	for _, o := range outcomes {
		words = append(words, fmt.Sprintf("%s at %s (%s)", o.Outcome, o.Step, o.Reason))
	}
	return strings.Join(words, "; ")
}

func (h *history) store() *store.Store {
	h.t.Helper()
	s, err := store.Open(filepath.Join(h.folder, "backups"), store.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// backups are those of the sandbox. Each that can be seen is whole, to its last byte.
func (h *history) backups() []store.Backup {
	h.t.Helper()
	s := h.store()
	all, err := s.Backups("alpha")
	if err != nil {
		return nil // none has been made
	}
	for _, b := range all {
		if err := s.Verify(h.t.Context(), b, true); err != nil || !b.Whole() {
			h.t.Fatalf("a backup that is not whole is visible: %s: %v, %v", b.ID, b.Damage, err)
		}
	}
	for _, id := range h.saved {
		if !slices.ContainsFunc(all, func(b store.Backup) bool { return b.ID == id }) {
			h.t.Fatalf("backup %s, which was reported as made, is not there any more", id)
		}
	}
	return slices.DeleteFunc(all, func(b store.Backup) bool { return b.Manifest.Content.Files < 2 }) // copies of an empty new sandbox
}

func (h *history) unfinished() []Entry {
	h.t.Helper()
	entries, err := peeked(filepath.Join(h.folder, "state"))
	if err != nil {
		h.t.Fatal(err)
	}
	return entries
}

func (h *history) now() time.Time { return time.Now().Add(h.clock) }

// holds is what is true at every moment: the home is in a container, in an image that is kept, or in a backup; nothing is frozen.
func (h *history) holds() {
	h.t.Helper()
	wanted := []string{h.home["/sandbox/notes.md"]}
	if h.before != nil {
		wanted = append(wanted, h.before["/sandbox/notes.md"])
	}
	places := h.places()
	for _, notes := range wanted {
		if !slices.Contains(places, notes) {
			h.t.Fatalf("the home with %q is in no place; there is %q", notes, places)
		}
	}
	if h.redo == "" && len(h.unfinished()) == 0 {
		h.isThere()
	}
}

// places are the notes wherever a home is.
func (h *history) places() []string {
	h.t.Helper()
	var found []string
	for _, c := range h.world.containers() {
		if c.State == "paused" && !h.unwatched {
			h.t.Fatalf("container %s is left paused", c.Name)
		}
		found = append(found, homeOf(c.Files)["/sandbox/notes.md"])
	}
	for _, ref := range h.world.engine.References() {
		if kept, ok := h.world.engine.Committed(ref); ok {
			found = append(found, homeOf(kept.Files)["/sandbox/notes.md"])
		}
	}
	s := h.store()
	for _, b := range h.backups() {
		found = append(found, "0"+fileIn(h.t, s, b, "notes.md"))
	}
	return found
}

// isThere is the sandbox's container: one, running, listed as itself, with its home.
func (h *history) isThere() dockertest.Container {
	h.t.Helper()
	listed, found := h.world.listed(), h.world.containers()
	if len(listed) != 1 || len(found) != 1 || found[0].Labels["openshell.ai/sandbox-id"] != listed[0].ID {
		h.t.Fatalf("the gateway lists %+v, the engine has %d containers", listed, len(found))
	}
	frozen := found[0].State == "paused" && h.unwatched
	if !frozen && (found[0].State != "running" || listed[0].Phase != "Ready") {
		h.t.Fatalf("the sandbox is %s, %s", found[0].State, listed[0].Phase)
	}
	now := homeOf(found[0].Files)
	delete(now, "/sandbox/welcome") // of the new image
	if diff := cmp.Diff(h.home, now); diff != "" {
		h.t.Fatalf("its home (-as it is to be +now):\n%s", diff)
	}
	return found[0]
}

// do runs one command. Its error is a death, or a command that did not end well.
func (p *process) do(ctx context.Context, command string) ([]Outcome, error) {
	type ended struct {
		outcomes []Outcome
		err      error
	}
	over := make(chan ended, 1)
	go func() {
		outcomes, err := p.command(ctx, command)
		over <- ended{outcomes, err}
	}()
	select {
	case e := <-over:
		return e.outcomes, e.err
	case <-p.died:
		p.disk.Kill()
		p.bury()
		p.endGuard()
		if p.fate.power {
			p.cut = p.host.Cut()
		}
		return nil, errDied
	}
}
