package backup

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
	"sandkeeper/engine"
	"sandkeeper/internal/env"
	"sandkeeper/internal/journal"
	"sandkeeper/sandbox"
)

// TestMain lets the test program serve as the guard process, and as a run that is killed: both are started as the real program
// would be, by running our own image again.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "guard":
		if err := home.Guard(context.Background(), os.Stdin, os.Stdout, journal.Pauses(os.Args[2]), home.Dialer(env.Parse(os.Environ()))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case len(os.Args) == 6 && os.Args[1] == "victim":
		os.Exit(victim(os.Args[2], os.Args[3], os.Args[4], home.Stage(os.Args[5])))
	}
	os.Exit(m.Run())
}

// victim is a run that says its stages and stays in one of them until it is interrupted or killed.
func victim(dir, root, id string, stay home.Stage) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	e, state := engine.Dial(ctx, engine.Dialing{Env: env.Parse(os.Environ())})
	if e == nil {
		fmt.Println("error", state.Why)
		return 1
	}
	store, err := store.Open(root, store.Options{UID: os.Getuid()})
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
	limit, _ := time.ParseDuration(os.Getenv("VICTIM_PAUSE_LIMIT")) // none: the default
	var once sync.Once
	r := guarded(&Options{Store: store, Engine: e, PauseLimit: limit, Progress: func(e home.Event) {
		if e.Stage == stay {
			once.Do(func() {
				fmt.Println(e.Stage)
				<-ctx.Done()
			})
		}
	}}, dir)
	if _, err := r.All(ctx, sandbox.Inventory{Sandboxes: []sandbox.Sandbox{sb}}); err != nil {
		fmt.Println("ended", err)
		return 130
	}
	return 0
}
