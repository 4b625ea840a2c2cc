package journal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test program be a run that owns a record until it is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "own" {
		os.Exit(victim(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// victim puts a record, says so, and goes on putting longer and longer ones.
func victim(dir, stay string) int {
	r, err := NewShelf(dir, notes()).Own(context.Background(), keyA)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for n := 0; ; n++ {
		if err := r.Put(note{Name: "victim", Fill: strings.Repeat("x", n*97%50_000)}); err != nil {
			fmt.Println(err)
			return 1
		}
		if n == 0 {
			fmt.Println("owned")
		}
		if stay == "stay" {
			time.Sleep(time.Hour) // not for ever: the runtime ends a program of which no goroutine can go on, and the lock with it
		}
	}
}

// startVictim returns once the victim owns its record.
func startVictim(t *testing.T, dir, stay string, prepare func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	child := exec.Command("/proc/self/exe", "own", dir, stay)
	prepare(child)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "owned\n" {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	return child
}
