package e2e

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"sandkeeper/test/e2e/gateway"
)

// unruly is a backend that does as a test says. Creations and deletions are counted from 1, looks from the last creation. Of what a
// rehearsal makes it takes no notice.
type unruly struct {
	gateway.Backend
	beforeCreate, afterCreate func(n int, s gateway.Sandbox) error
	beforeDelete, afterDelete func(n int) error
	beforeList                func() error
	phase                     func(creates, look int, s gateway.Sandbox) gateway.Phase

	mu                      sync.Mutex
	creates, deletes, looks int
}

func (u *unruly) count(what *int) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	*what++
	return *what
}

func (u *unruly) created() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.creates
}

// List says of each sandbox what the test wants to be said.
func (u *unruly) List(ctx context.Context) ([]gateway.Sandbox, error) {
	if u.beforeList != nil {
		if err := u.beforeList(); err != nil {
			return nil, unheard(ctx, err)
		}
	}
	all, err := u.Backend.List(ctx)
	look, creates := u.count(&u.looks), u.created()
	for i := range all {
		if u.phase != nil {
			all[i].Phase = u.phase(creates, look, all[i])
		}
	}
	return all, err
}

// Create may refuse, or fail when it is done.
func (u *unruly) Create(ctx context.Context, s gateway.Sandbox) (gateway.Sandbox, error) {
	if strings.HasPrefix(s.Name, "rehearse-") {
		return u.Backend.Create(ctx, s)
	}
	n := u.count(&u.creates)
	if u.beforeCreate != nil {
		if err := u.beforeCreate(n, s); err != nil {
			return gateway.Sandbox{}, unheard(ctx, err)
		}
	}
	made, err := u.Backend.Create(ctx, s)
	u.mu.Lock()
	u.looks = 0
	u.mu.Unlock()
	if err == nil && u.afterCreate != nil {
		err = unheard(ctx, u.afterCreate(n, made))
	}
	return made, err
}

// Delete may refuse, or fail when it is done.
func (u *unruly) Delete(ctx context.Context, name string) (bool, error) {
	if strings.Contains(name, "rehearse-") {
		return u.Backend.Delete(ctx, name)
	}
	n := u.count(&u.deletes)
	if u.beforeDelete != nil {
		if err := u.beforeDelete(n); err != nil {
			return false, unheard(ctx, err)
		}
	}
	deleted, err := u.Backend.Delete(ctx, name)
	if err == nil && u.afterDelete != nil {
		err = unheard(ctx, u.afterDelete(n))
	}
	return deleted, err
}

// obedient lets the backend do its work again.
func (u *unruly) obedient() {
	u.beforeCreate, u.afterCreate, u.beforeDelete, u.afterDelete, u.beforeList, u.phase = nil, nil, nil, nil, nil, nil
}

// power is what a gateway hangs on: it is killed, and comes back at the same address.
type power struct {
	t       *testing.T
	server  *gateway.Server
	address string

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan error
}

func (p *power) on() {
	p.off()
	var l net.Listener
	var err error
	_, back := waitFor(waitLimit, func() bool { // while it was off, its port was anybody's
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", p.address)
		return err == nil
	})
	if !back {
		p.t.Errorf("the gateway does not come back: %v", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	p.cancel, p.done = cancel, done
	go func() { done <- p.server.Serve(ctx, l) }()
}

// off ends it, as a kill does: connections break, calls under way are not answered.
func (p *power) off() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel == nil {
		return
	}
	p.cancel()
	if err := <-p.done; err != nil {
		p.t.Errorf("gateway %s: %v", p.server.Version, err)
	}
	p.cancel = nil
}

var errUnheard = errors.New("nobody hears this")

// cut is off from within a call of the gateway itself, which therefore is not answered.
func (p *power) cut() error {
	go p.off()
	return errUnheard
}

// unheard holds the error of a gateway that was cut back until the caller's connection is gone.
func unheard(ctx context.Context, err error) error {
	if errors.Is(err, errUnheard) {
		<-ctx.Done()
	}
	return err
}
