package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/sandbox"
)

// TestMain lets the test program serve as the guard process, and as a run that is killed: both are started as the real program
// would be, by running our own image again.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "guard":
		if err := Guard(context.Background(), os.Stdin, os.Stdout, os.Args[2], Dialer(env.Parse(os.Environ()))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case len(os.Args) == 6 && os.Args[1] == "victim":
		os.Exit(victim(os.Args[2], os.Args[3], os.Args[4], Stage(os.Args[5])))
	case len(os.Args) == 3 && os.Args[1] == "exec-restore":
		os.Exit(obey(os.Args[2], execVictim))
	case len(os.Args) == 3 && os.Args[1] == "gateway-restore":
		os.Exit(obey(os.Args[2], gatewayVictim))
	}
	os.Exit(m.Run())
}

// victim is a run that says its stages and stays in one of them until it is interrupted or killed.
func victim(journal, root, id string, stay Stage) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	e, state := engine.Dial(ctx, engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		fmt.Println("error", state.Why)
		return 1
	}
	store, err := OpenStore(root, StoreOptions{UID: os.Getuid()})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	c, err := e.Inspect(ctx, id)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	sb := sandbox.Sandbox{Name: c.SandboxName, Container: &c, Standing: sandbox.Ready, Route: sandbox.ByContainer}
	var once sync.Once
	r := &Run{Store: store, Engine: e, Journal: journal, GuardCommand: []string{"guard", journal}, Progress: func(e Event) {
		if e.Stage == stay {
			once.Do(func() {
				fmt.Println(e.Stage)
				<-ctx.Done()
			})
		}
	}}
	if _, err := r.All(ctx, sandbox.Inventory{Sandboxes: []sandbox.Sandbox{sb}}); err != nil {
		fmt.Println("ended", err)
		return 130
	}
	return 0
}

func dialTo(f *freezer) DialFunc {
	return func(context.Context, string) (Freezer, error) { return f, nil }
}

func TestGuardFreesWhatWasNotDone(t *testing.T) {
	f := &freezer{state: map[string]string{idA: "paused", idB: "paused"}}
	j := &journal{dir: t.TempDir(), pid: 1}
	for _, id := range []string{idA, idB} {
		if err := j.add(j.entry(engine.Container{ID: id, Name: "n"}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	in := strings.NewReader(fmt.Sprintf("pause %s unix:///x\npause %s unix:///x\nnonsense\npause ../../etc unix:///x\ndone %s\n", idA, idB, idB))
	var out strings.Builder
	if err := Guard(t.Context(), in, &out, j.dir, dialTo(f)); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("ready\nok %s\nok %s\n", idA, idB); out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	if f.state[idA] != "running" || f.state[idB] != "paused" {
		t.Errorf("containers are %v: only the one that was not done may be touched", f.state)
	}
	left, err := j.list()
	if err != nil || len(left) != 1 || left[0].Container != idB {
		t.Errorf("journal holds %v, %v", left, err)
	}
}

func TestGuardKeepsTheJournalWhenItCannotUnpause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &freezer{state: map[string]string{idA: "paused"}, broken: map[string]error{"unpause": errors.New("engine is down")}}
		j := &journal{dir: t.TempDir(), pid: 1}
		if err := j.add(j.entry(engine.Container{ID: idA}, "unix:///x", time.Now())); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := freeAll(ctx, map[string]string{idA: "unix:///x"}, j, dialTo(f)); err == nil || !strings.Contains(err.Error(), "engine is down") {
			t.Errorf("got %v", err)
		}
		if left, _ := j.list(); len(left) != 1 {
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
	if err := g.watch(PausedEntry{Container: idA, Host: "unix:///x"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.done(idA), g.close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestGuardianSaysThatTheGuardIsGoneOrSilent(t *testing.T) {
	gone := talk(t, func(*bufio.Scanner, io.Writer) {})
	if err := gone.watch(PausedEntry{Container: idA}); err == nil {
		t.Error("a guard that is gone acknowledged a pause")
	}
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		silent := talk(t, func(in *bufio.Scanner, _ io.Writer) {
			in.Scan()
			<-stop
		})
		err := silent.watch(PausedEntry{Container: idA})
		if err == nil || !strings.Contains(err.Error(), "did not answer within 20s") {
			t.Errorf("got %v", err)
		}
		close(stop)
	})
}

func TestGuardThatCannotBeStarted(t *testing.T) {
	if _, err := startGuard(nil, env.Env{}); err == nil {
		t.Error("started without a command")
	}
	if _, err := startGuard([]string{"-test.run=^$"}, env.Env{}); err == nil { // our program, but it never says that it is ready
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
