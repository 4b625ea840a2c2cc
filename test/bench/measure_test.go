package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is also the launcher of the steps that tests run.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == runCommand {
		if err := launchHere(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestMedianTakesEachFigureByItself(t *testing.T) {
	got := median([]sample{{3, 10, 200}, {1, 30, 100}, {2, 20, 300}})
	if want := (sample{2, 20, 200}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := median(nil); got != (sample{}) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestRoundsAreInterleaved(t *testing.T) {
	var order []string
	note := func(name string) step {
		return step{name: name, argv: []string{"true"}, before: func(context.Context) error {
			order = append(order, name)
			return nil
		}}
	}
	samples, err := rounds(t.Context(), 2, time.Hour, []step{note("a"), note("b")}, func(string) {})
	if err != nil || len(samples["a"]) != 2 || len(samples["b"]) != 2 {
		t.Fatalf("%v, %v", samples, err)
	}
	if want := []string{"a", "b", "a", "b"}; !slices.Equal(order, want) {
		t.Errorf("order %v", order)
	}
}

func TestNoRoundBeginsWhenTimeIsUp(t *testing.T) {
	steps := []step{{name: "a", argv: []string{"true"}}, {name: "b", argv: []string{"true"}}}
	samples, err := rounds(t.Context(), 3, 0, steps, func(string) {})
	if err != nil || len(samples["a"]) != 1 || len(samples["b"]) != 1 {
		t.Errorf("%v, %v", samples, err)
	}
}

func TestStepMeasuresTheWholeTree(t *testing.T) {
	const heldMemory = 64 << 20
	held := bytes.Repeat([]byte{1}, heldMemory)
	defer runtime.KeepAlive(held)
	got, err := shell("busy", "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done | cat").run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if small, err := shell("idle", "exec true").run(t.Context()); err != nil || small.rss >= heldMemory {
		t.Errorf("the benchmark's own memory is counted: %+v, %v", small, err)
	}
	if got.cpu < time.Millisecond || got.wall < time.Millisecond || got.rss < 1<<20 {
		t.Errorf("measured %+v", got)
	}
}

func TestStepFailsWithWhatWasSaid(t *testing.T) {
	_, err := shell("broken", "echo no room >&2; false | cat").run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("got %v", err)
	}
	four := shell("found something", "exit 4")
	four.exits = []int{0, 4}
	if _, err := four.run(t.Context()); err != nil {
		t.Errorf("an expected exit status: %v", err)
	}
}

func TestDiskUseCountsHardLinksOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	if got, err := diskUse(dir); got != 1000 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
}
