package crash

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"
)

func recovered(work func()) (site string) {
	defer func() {
		if recover() != nil {
			site = Site(debug.Stack())
		}
	}()
	work()
	return "no panic"
}

func TestSiteIsWhereThePanicBegan(t *testing.T) {
	var nobody *os.File
	for name, work := range map[string]func(){
		"a panic of our own":    func() { panic("torn") },
		"a closed channel":      func() { c := make(chan int); close(c); close(c) },
		"an index out of range": func() { s := []int{}; s[len(os.Args)+1]++ },
	} {
		if got := recovered(work); !regexp.MustCompile(`^site_test\.go:\d+$`).MatchString(got) {
			t.Errorf("%s: site %q, want a line of this file", name, got)
		}
	}
	if got := recovered(func() { _ = nobody.Name() }); got == "no panic" || got == "place unknown" {
		t.Errorf("a nil pointer inside the standard library: %q", got)
	}
}

func TestSiteOfAStackWithoutAPanic(t *testing.T) {
	for _, stack := range []string{"", "goroutine 1 [running]:", "panic(", "panic({0x1, 0x2})\n\t/usr/lib/go/panic.go:1\nmain.f()"} {
		if got := Site([]byte(stack)); got != "place unknown" {
			t.Errorf("Site(%q) = %q", stack, got)
		}
	}
}
