package home

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
)

// TestMain lets the test program serve as the guard process, which is started as the real program would be, by running our own image again.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "guard":
		if err := Guard(context.Background(), os.Stdin, os.Stdout, os.Args[2], Dialer(env.Parse(os.Environ()))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func dialTo(f *backuptest.Freezer) DialFunc {
	return func(context.Context, string) (Freezer, error) { return f, nil }
}

func TestGuardFreesWhatWasNotDone(t *testing.T) {
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused", backuptest.IdB: "paused"}}
	j := &Journal{Dir: t.TempDir(), PID: 1}
	for _, id := range []string{backuptest.IdA, backuptest.IdB} {
		if err := j.Add(j.Entry(engine.Container{ID: id, Name: "n"}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	in := strings.NewReader(fmt.Sprintf("pause %s unix:///x\npause %s unix:///x\nnonsense\npause ../../etc unix:///x\ndone %s\n", backuptest.IdA, backuptest.IdB, backuptest.IdB))
	var out strings.Builder
	if err := Guard(t.Context(), in, &out, j.Dir, dialTo(f)); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("ready\nok %s\nok %s\n", backuptest.IdA, backuptest.IdB); out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	if f.State[backuptest.IdA] != "running" || f.State[backuptest.IdB] != "paused" {
		t.Errorf("containers are %v: only the one that was not done may be touched", f.State)
	}
	left, err := j.List()
	if err != nil || len(left) != 1 || left[0].Container != backuptest.IdB {
		t.Errorf("journal holds %v, %v", left, err)
	}
}

func TestGuardKeepsTheJournalWhenItCannotUnpause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}, Broken: map[string]error{"unpause": errors.New("engine is down")}}
		j := &Journal{Dir: t.TempDir(), PID: 1}
		if err := j.Add(j.Entry(engine.Container{ID: backuptest.IdA}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := FreeAll(ctx, map[string]string{backuptest.IdA: "unix:///x"}, j, dialTo(f)); err == nil || !strings.Contains(err.Error(), "engine is down") {
			t.Errorf("got %v", err)
		}
		if left, _ := j.List(); len(left) != 1 {
			t.Error("the journal forgot a container that is still paused")
		}
	})
}

// talk is a guardian whose guard is played by the test.
func talk(t *testing.T, play func(in *bufio.Scanner, out io.Writer)) *guardian {
	t.Helper()
	in, to := io.Pipe()
	from, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		play(bufio.NewScanner(in), out)
		out.Close()
		in.Close()
		ended <- nil
	}()
	return newGuardian(to, from, func() error { return <-ended })
}

func TestGuardianWaitsForTheAcknowledgement(t *testing.T) {
	g := obedientGuard(t)
	if err := g.watch(PausedEntry{Container: backuptest.IdA, Host: "unix:///x"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.done(backuptest.IdA), g.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestGuardianSaysThatTheGuardIsGoneOrSilent(t *testing.T) {
	gone := talk(t, func(*bufio.Scanner, io.Writer) {})
	if err := gone.watch(PausedEntry{Container: backuptest.IdA}); err == nil {
		t.Error("a guard that is gone acknowledged a pause")
	}
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		silent := talk(t, func(in *bufio.Scanner, _ io.Writer) {
			in.Scan()
			<-stop
		})
		err := silent.watch(PausedEntry{Container: backuptest.IdA})
		if err == nil || !strings.Contains(err.Error(), "did not answer within 20s") {
			t.Errorf("got %v", err)
		}
		close(stop)
	})
}

func TestGuardThatCannotBeStarted(t *testing.T) {
	if _, err := StartGuard(nil, env.Env{}); err == nil {
		t.Error("started without a command")
	}
	if _, err := StartGuard([]string{"-test.run=^$"}, env.Env{}); err == nil { // our program, but it never says that it is ready
		t.Error("a program that is no guard was taken for one")
	}
}

func TestGuardEnvironmentIsSmall(t *testing.T) {
	got := guardEnv(env.Parse([]string{"HOME=/h", "DOCKER_CERT_PATH=/c", "API_KEY=secret", "LD_PRELOAD=x"}))
	if len(got) != 2 || got[0] != "HOME=/h" || got[1] != "DOCKER_CERT_PATH=/c" {
		t.Errorf("got %q", got)
	}
}

// obedientGuard acknowledges every pause.
func obedientGuard(t *testing.T) *guardian {
	return talk(t, func(in *bufio.Scanner, out io.Writer) {
		for in.Scan() {
			if word, rest, _ := strings.Cut(in.Text(), " "); word == guardPause {
				id, _, _ := strings.Cut(rest, " ")
				fmt.Fprintln(out, guardOK, id)
			}
		}
	})
}
