package home

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sandkeeper/internal/backuptest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/journaltest"
)

// TestMain lets the test program serve as the guard process, which is started as the real program would be, by running our own image
// again.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "guard":
		if err := Guard(context.Background(), os.Stdin, os.Stdout, journal.Pauses(os.Args[2]), Dialer(env.Parse(os.Environ()))); err != nil {
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

// words are what a parent would say, one a line.
func words(t *testing.T, all ...guardWord) string {
	t.Helper()
	var text strings.Builder
	for _, word := range all {
		if err := json.NewEncoder(&text).Encode(word); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func pausing(id string, limit time.Duration) guardWord {
	p := backuptest.PauseOf(id)
	return guardWord{Pause: &p, Limit: limit}
}

func TestGuardFreesWhatWasNotDone(t *testing.T) {
	f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused", backuptest.IdB: "paused"}}
	shelf := pauses(t)
	for _, id := range []string{backuptest.IdA, backuptest.IdB} {
		journaltest.Leave(t, shelf, id, backuptest.PauseOf(id))
	}
	in := words(t, pausing(backuptest.IdA, time.Hour), pausing(backuptest.IdB, time.Hour)) + "nonsense\n" + words(t, guardWord{}, guardWord{Done: "nobody"}, guardWord{Done: backuptest.IdB})
	var out strings.Builder
	if err := Guard(t.Context(), strings.NewReader(in), &out, shelf, dialTo(f)); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("ready\nok %s\nok %s\n", backuptest.IdA, backuptest.IdB); out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	if f.State[backuptest.IdA] != "running" || f.State[backuptest.IdB] != "paused" {
		t.Errorf("containers are %v: only the one that was not done may be touched", f.State)
	}
	if there := journaltest.Values(t, shelf); len(there) != 1 || there[0].Container != backuptest.IdB {
		t.Errorf("the shelf has %v", there)
	}
}

// The engine may carry out the pause request of a dead run after the guard's first look.
func TestGuardLooksMoreThanOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}
		time.AfterFunc(guardSecond+guardSecond/2, func() { _ = f.Pause(t.Context(), backuptest.IdA) })
		shelf := pauses(t)
		journaltest.Leave(t, shelf, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
		err := freeOne(t.Context(), backuptest.PauseOf(backuptest.IdA), shelf, dialTo(f))
		time.Sleep(time.Minute)
		if err != nil || f.Now(backuptest.IdA) != "running" {
			t.Errorf("%v, the container is %s", err, f.Now(backuptest.IdA))
		}
	})
}

// A parent that is stopped, as by Ctrl-Z, ends no pause. The guard does at the pause limit, and leaves the record to the parent.
func TestGuardEndsAPauseThatLastsTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused", backuptest.IdB: "paused"}}
		shelf := pauses(t)
		parent := journaltest.Hold(t, shelf, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
		in, to := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- watchOnly(t, in, shelf, dialTo(f)) }()
		_, _ = io.WriteString(to, words(t, pausing(backuptest.IdA, 10*time.Second), pausing(backuptest.IdB, time.Hour), guardWord{Done: backuptest.IdB}))
		time.Sleep(10 * time.Second)
		if f.Now(backuptest.IdA) != "paused" {
			t.Error("the guard did not leave the parent the time that it has")
		}
		time.Sleep(guardGrace + time.Millisecond)
		if f.Now(backuptest.IdA) != "running" || f.Now(backuptest.IdB) != "paused" {
			t.Errorf("after the pause limit the containers are %s and %s", f.Now(backuptest.IdA), f.Now(backuptest.IdB))
		}
		if there := journaltest.Values(t, shelf); len(there) != 1 {
			t.Errorf("the parent's record is gone: %v", there)
		}
		if err := errors.Join(parent.Remove(), parent.Close(), to.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
}

// A container that is paused again before the guard heard that it went on keeps the time of the second pause.
func TestTheDeadlineOfOnePauseEndsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}
		in, to := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- watchOnly(t, in, pauses(t), dialTo(f)) }()
		for range 2 {
			_, _ = io.WriteString(to, words(t, pausing(backuptest.IdA, 10*time.Second)))
			time.Sleep(8 * time.Second)
		}
		if f.Now(backuptest.IdA) != "paused" {
			t.Error("the first pause's deadline has ended the second")
		}
		if err := errors.Join(to.Close(), <-ended); err != nil || f.Now(backuptest.IdA) != "running" {
			t.Errorf("%v, the container is %s", err, f.Now(backuptest.IdA))
		}
	})
}

// Where another engine answers at the address, a container of the same id there is not touched.
func TestGuardKnowsItsEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}}
		shelf, elsewhere := pauses(t), backuptest.PauseOf(backuptest.IdA)
		elsewhere.Engine = "docker ELSE /var/lib/docker"
		journaltest.Leave(t, shelf, backuptest.IdA, elsewhere)
		in, to := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- watchOnly(t, in, shelf, dialTo(f)) }()
		_, _ = io.WriteString(to, words(t, guardWord{Pause: &elsewhere, Limit: time.Second}))
		time.Sleep(time.Minute)
		_ = to.Close()
		if err := <-ended; !errors.Is(err, journal.ErrOther) || f.Now(backuptest.IdA) != "paused" {
			t.Errorf("%v, the container is %s", err, f.Now(backuptest.IdA))
		}
		if there := journaltest.Values(t, shelf); len(there) != 1 {
			t.Errorf("the shelf has %v", there)
		}
	})
}

func TestGuardKeepsTheRecordWhenItCannotUnpause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "paused"}, Broken: map[string]error{"unpause": errors.New("engine is down")}}
		shelf := pauses(t)
		journaltest.Leave(t, shelf, backuptest.IdA, backuptest.PauseOf(backuptest.IdA))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := freeOne(ctx, backuptest.PauseOf(backuptest.IdA), shelf, dialTo(f)); err == nil || !strings.Contains(err.Error(), "engine is down") {
			t.Errorf("got %v", err)
		}
		if there := journaltest.Values(t, shelf); len(there) != 1 {
			t.Error("the record of a container that is still paused is gone")
		}
	})
}

// watchOnly is a guard without what it does about signals, which must not begin within a bubble of synctest.
func watchOnly(t *testing.T, in io.Reader, shelf journal.Shelf[journal.Pause], dial DialFunc) error {
	w := watchman{out: io.Discard, shelf: shelf, dial: dial, open: map[string]watched{}}
	return w.serve(t.Context(), in)
}

// talk is a Guardian whose guard is played by the test.
func talk(t *testing.T, play func(in *bufio.Scanner, out io.Writer)) *Guardian {
	t.Helper()
	in, to := io.Pipe()
	from, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		fmt.Fprintln(out, guardReady)
		play(bufio.NewScanner(in), out)
		out.Close()
		in.Close()
		ended <- nil
	}()
	g, err := NewGuardian(to, from, func() error { return <-ended })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuardianWaitsForTheAcknowledgement(t *testing.T) {
	g := obedientGuard(t)
	if err := g.watch(backuptest.PauseOf(backuptest.IdA), time.Minute); err != nil {
		t.Fatal(err)
	}
	g.done(backuptest.IdA)
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestGuardianSaysThatTheGuardIsGoneOrSilent(t *testing.T) {
	if err := goneGuard(t).watch(backuptest.PauseOf(backuptest.IdA), time.Minute); err == nil {
		t.Error("a guard that is gone acknowledged a pause")
	}
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		silent := talk(t, func(in *bufio.Scanner, _ io.Writer) {
			in.Scan()
			<-stop
		})
		err := silent.watch(backuptest.PauseOf(backuptest.IdA), time.Minute)
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

func goneGuard(t *testing.T) *Guardian {
	return talk(t, func(*bufio.Scanner, io.Writer) {})
}

// obedientGuard acknowledges every pause.
func obedientGuard(t *testing.T) *Guardian { return spyingGuard(t, func(string) {}) }

// spyingGuard says what it hears, and acknowledges every pause.
func spyingGuard(t *testing.T, hears func(string)) *Guardian {
	return talk(t, func(in *bufio.Scanner, out io.Writer) {
		for in.Scan() {
			var word guardWord
			if err := json.Unmarshal(in.Bytes(), &word); err != nil {
				t.Error(err)
			}
			if word.Pause == nil {
				hears("guard hears of the end")
				continue
			}
			hears("guard hears of the pause")
			fmt.Fprintln(out, guardOK, word.Pause.Container)
		}
	})
}

// synctestThaw is for what waits for an engine that does not unpause.
func synctestThaw(t *testing.T, do func(*testing.T, *Pauser, *backuptest.Freezer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f, shelf := &backuptest.Freezer{State: map[string]string{backuptest.IdA: "running"}}, pauses(t)
		guard := obedientGuard(t)
		do(t, &Pauser{Engine: f, Host: "unix:///x", Shelf: shelf, Guard: guard, Limit: time.Minute, Now: time.Now}, f)
		if err := guard.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
