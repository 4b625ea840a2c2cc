package cmd

import (
	"errors"
	"path/filepath"

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

// open makes the chain of the active extensions; nil when there are none and none ever kept anything: then nothing is
// opened or made. What extensions added that are active no longer can only be withdrawn with the store.
func (e *extensions) open() (*extensionChain, error) {
	links, err := e.links()
	if err != nil {
		return nil, err
	}
	return e.chainOf(links, nil)
}

// chainOf makes the chain of these links. With inside, they can run commands in sandboxes.
func (e *extensions) chainOf(links []lifecycle.Link, inside lifecycle.Inside) (c *extensionChain, err error) {
	c = &extensionChain{}
	if c.store, err = e.keptStore(len(links) > 0); err != nil || c.store == nil {
		return nil, err
	}
	if c.audit, err = lifecycle.OpenAuditFile(filepath.Join(stateDir(e.term.Env), "extensions-audit.jsonl")); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	c.Chain, err = lifecycle.NewChain(lifecycle.Options{
		Links: links, Store: c.store, Audit: lifecycle.JoinSinks(c.audit, lifecycle.SinksOf(e.linked).Audit), Inside: inside,
		Warn: func(err error) { e.term.warn("%v", err) },
	})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// keptStore is the store, made where it is needed; else nil when there is none.
func (e *extensions) keptStore(needed bool) (*lifecycle.Store, error) {
	if !needed {
		return e.readStore()
	}
	path, err := e.storePath()
	if err != nil {
		return nil, err
	}
	return openExtensionStore(path)
}

// additions is what extensions have added to sandboxes, by id, as it is stored now. Where another run holds the store,
// nothing is known.
func (e *extensions) additions() func(id string) []lifecycle.Addition {
	store, err := e.readStore()
	if err != nil || store == nil {
		return nil
	}
	defer func() { _ = store.Close() }() // nothing was written
	tracked, err := store.Tracked()
	if err != nil {
		return nil
	}
	return func(id string) []lifecycle.Addition {
		for _, t := range tracked {
			if t.ID == id {
				return t.Additions
			}
		}
		return nil
	}
}
