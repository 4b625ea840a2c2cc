package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Link is one active extension in its place in the chain.
type Link struct {
	Name      string
	Extension Extension
	// Reads are the schema versions of state that the extension understands.
	Reads []uint32
	// Timeout is the deadline of each of its phases; 0 means DefaultTimeout.
	Timeout time.Duration
}

func (l Link) timeout() time.Duration {
	if l.Timeout > 0 {
		return l.Timeout
	}
	return DefaultTimeout
}

// Options are what a Chain is made of.
type Options struct {
	// Links are the active extensions in declared order. None, and no store: the chain has no behaviour and no cost.
	Links []Link
	// Store keeps their state; required when there are links. Without links it serves to withdraw what extensions added
	// that are active no longer.
	Store *Store
	// Audit takes the events; nil: none are written.
	Audit Sink
	// Inside runs commands in sandboxes for extensions; nil: none can be run.
	Inside Inside
	// Warn is told what could not be audited; nil: nobody is.
	Warn func(error)
	// Now is the clock of records and events; nil: time.Now.
	Now func() time.Time
	// Grace is how long a phase may take to notice its cancellation before it is abandoned; 0: one second.
	Grace time.Duration
}

// Chain runs the extensions around drivers. It is safe for concurrent use on different sandboxes; a second operation on
// a sandbox that is being worked on is refused with ErrBusy.
type Chain struct {
	links  []Link
	store  *Store
	audit  Sink
	warn   func(error)
	inside Inside
	now    func() time.Time
	grace  time.Duration
	leaks  leaks
	busy   busy
}

// NewChain checks the options and returns a chain.
func NewChain(o Options) (*Chain, error) {
	if len(o.Links) > 0 && o.Store == nil {
		return nil, errors.New("lifecycle extensions need a store for their state")
	}
	for i, link := range o.Links {
		if link.Extension == nil || link.Name == "" {
			return nil, fmt.Errorf("extension %d (%q) is not complete", i+1, link.Name)
		}
		if slices.ContainsFunc(o.Links[:i], func(l Link) bool { return l.Name == link.Name }) {
			return nil, fmt.Errorf("extension %q is in the chain twice", link.Name)
		}
	}

	c := &Chain{links: slices.Clone(o.Links), store: o.Store, audit: o.Audit, warn: o.Warn, inside: o.Inside, now: o.Now, grace: o.Grace}
	if c.warn == nil {
		c.warn = func(error) {}
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.grace <= 0 {
		c.grace = defaultGrace
	}
	return c, nil
}

// Wrap puts the chain around a driver. An empty chain without a store returns the driver itself.
func (c *Chain) Wrap(d Driver) Driver {
	if len(c.links) == 0 && c.store == nil {
		return d
	}
	return &wrapped{Driver: d, chain: c}
}

// wrapped is a driver with a chain around it; listing and watching go straight through.
type wrapped struct {
	Driver
	chain *Chain
}

// Baseline returns the request without what extensions added when the sandbox was created, where it is still as they
// added it. A sandbox that is recreated from its own recipe then gets today's additions instead of being refused for
// yesterday's. Call it before the sandbox is deleted: the knowledge goes with it. A sandbox the chain never saw is
// returned unchanged.
func (c *Chain) Baseline(request Request, sandbox Reference) (Request, error) {
	if c.store == nil {
		return request.clone(), nil
	}
	e, found, err := c.find(sandbox)
	if err != nil || !found {
		return request.clone(), err
	}
	return request.Without(e.Additions), nil
}

// find returns the stored sandbox: by id when the reference has one, else by its name on that gateway.
func (c *Chain) find(sandbox Reference) (entry, bool, error) {
	if sandbox.ID != "" {
		return c.store.get(sandbox.ID)
	}
	entries, err := c.store.all()
	if err != nil {
		return entry{}, false, err
	}
	for _, e := range entries {
		if e.Name == sandbox.Name && e.Gateway == sandbox.Gateway && e.Status != StatusDeleted && e.Status != StatusRollingBack {
			return e, true, nil
		}
	}

	return entry{}, false, nil
}

func (c *Chain) link(name string) (Link, bool) {
	i := slices.IndexFunc(c.links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return Link{}, false
	}
	return c.links[i], true
}

func (c *Chain) names() []string {
	names := make([]string, len(c.links))
	for i, link := range c.links {
		names[i] = link.Name
	}
	return names
}

// recognised reports state that the linked extensions cannot read, before anything is done to the sandbox.
func (c *Chain) recognised(e entry) error {
	var errs []error
	for _, link := range c.links {
		if state, ok := e.states[link.Name]; ok && !slices.Contains(link.Reads, state.SchemaVersion) {
			errs = append(errs, &SchemaError{Sandbox: e.Reference, Extension: link.Name, Version: state.SchemaVersion, Reads: link.Reads})
		}
	}
	return errors.Join(errs...)
}

// busy is the set of sandboxes that are being worked on.
type busy struct {
	mu  sync.Mutex
	ids map[string]bool
}

// take claims a sandbox and returns how to let go of it.
func (b *busy) take(sandbox Reference) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ids[sandbox.ID] {
		return nil, fmt.Errorf("sandbox %q: another operation on it is running: %w", sandbox.label(), ErrBusy)
	}
	if b.ids == nil {
		b.ids = map[string]bool{}
	}
	b.ids[sandbox.ID] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ids, sandbox.ID)
	}, nil
}

// cleanup is a context for work that must survive the cancellation of what caused it; every phase still has its
// deadline.
func cleanup(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
