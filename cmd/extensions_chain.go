package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"sandkeeper/driver"
	"sandkeeper/lifecycle"
)

// extensionChain is the configured chain with the files that it keeps open.
type extensionChain struct {
	*lifecycle.Chain
	store *lifecycle.Store
	audit *lifecycle.AuditFile
}

func (c *extensionChain) close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.store.Close(), c.audit.Close())
}

// openExtensionChain makes the chain of the active extensions; nil when there are none and none ever kept anything: then nothing is
// opened or made. What extensions added that are active no longer can only be withdrawn with the store.
func (a *app) openExtensionChain() (*extensionChain, error) {
	links, err := a.extensionLinks()
	if err != nil {
		return nil, err
	}
	c := &extensionChain{}
	if c.store, err = a.extensionStore(len(links) > 0); err != nil || c.store == nil {
		return nil, err
	}
	if c.audit, err = lifecycle.OpenAuditFile(filepath.Join(a.stateDir(), "extensions-audit.jsonl")); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	c.Chain, err = lifecycle.NewChain(lifecycle.Options{
		Links: links, Store: c.store, Audit: lifecycle.JoinSinks(c.audit, lifecycle.SinksOf(a.linked).Audit), Warn: func(err error) { a.warn("%v", err) },
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// extensionStore is the store, made where it is needed; else nil when there is none.
func (a *app) extensionStore(needed bool) (*lifecycle.Store, error) {
	if !needed {
		return a.readExtensionStore()
	}
	path, err := a.extensionStorePath()
	if err != nil {
		return nil, err
	}
	return openExtensionStore(path)
}

// reconcile finishes what an earlier run left of the extensions' work and asks each whether its sandboxes are as it left them. A
// gateway that cannot be asked is named; its sandboxes are then of unknown presence, never missing.
func (c *extensionChain) reconcile(ctx context.Context, a *app, gateways *driver.Gateways, views []view) ([]lifecycle.ReconcileReport, error) {
	drivers := map[string]lifecycle.Driver{}
	for _, v := range views {
		name := v.seen.Target.Name
		driver, err := gateways.Driver(ctx, name)
		if err != nil {
			a.warn("extensions cannot ask gateway %q: %v", name, err)
			continue
		}
		drivers[name] = driver
	}
	return c.Reconcile(ctx, drivers)
}

// sayReconciled tells on standard error what a reconcile found.
func (a *app) sayReconciled(r lifecycle.ReconcileReport) {
	about := fmt.Sprintf("sandbox %q", r.Sandbox.Name)
	if r.Extension != "" {
		about += fmt.Sprintf(", extension %q", r.Extension)
	}
	if r.Err != nil {
		a.warn("%s: %v", about, r.Err)
	}
	for _, drift := range r.Drift {
		a.warn("%s: %s", about, drift)
	}
	if r.Action != "" && r.Err == nil {
		a.note("%s: %s", about, r.Action)
	}
}
