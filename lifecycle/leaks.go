package lifecycle

import (
	"maps"
	"sync"
)

// leaks counts, per extension, the phases that were abandoned and still run.
type leaks struct {
	mu      sync.Mutex
	running map[string]int
}

// watch counts one abandoned phase until its late reply arrives, if ever; the reply is thrown away.
func (l *leaks) watch(extension string, done <-chan reply) {
	l.count(extension, 1)
	go func() {
		<-done
		l.count(extension, -1)
	}()
}

func (l *leaks) count(extension string, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.running = map[string]int{}
	}
	l.running[extension] += by
	if l.running[extension] == 0 {
		delete(l.running, extension)
	}
}

// Abandoned returns how many phases of each extension ignored their cancellation and still run now.
func (c *Chain) Abandoned() map[string]int {
	c.leaks.mu.Lock()
	defer c.leaks.mu.Unlock()
	running := maps.Clone(c.leaks.running)
	if running == nil {
		running = map[string]int{}
	}
	return running
}
