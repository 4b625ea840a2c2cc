package backuptest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Killed has a process of its own carry out an order, in a role of TestMain, and reports whether it was killed.
func Killed(t *testing.T, role string, order any) bool {
	t.Helper()
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("/proc/self/exe", role, string(text)).CombinedOutput()
	if err != nil && !strings.Contains(err.Error(), "signal: killed") {
		t.Fatalf("%s ended with %v: %s", role, err, out)
	}
	return err != nil
}

// Obey carries out an order in that process; the result is its exit status.
func Obey[O any](order string, do func(O) error) int {
	var o O
	err := json.Unmarshal([]byte(order), &o)
	if err == nil {
		err = do(o)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// DieAt kills this process when it is called for the n-th time; 0: never.
func DieAt(n int) func() {
	calls := 0
	return func() {
		if calls++; calls == n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}
