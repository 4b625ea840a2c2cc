package drill

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/internal/text"
)

// throwaway is a container that this run drills in. Its record is there before it is, and goes after it is gone.
type throwaway struct {
	id     string
	record *journal.Record[record]
}

func (o Options) make(ctx context.Context, e *engine.Engine, a engine.Apart) (*throwaway, error) {
	var tail [8]byte
	if _, err := io.ReadFull(o.Store.Random(), tail[:]); err != nil {
		return nil, err
	}
	a.Name = namePrefix + hex.EncodeToString(tail[:])
	key := journal.Key(a.Name)
	a.Labels = map[string]string{labelDrill: key}
	identity, err := e.Identity(ctx)
	if err != nil {
		return nil, err
	}
	owned, err := shelf(o.Journal).Own(ctx, key)
	if err != nil {
		return nil, err
	}
	t := &throwaway{record: owned}
	if err := owned.Put(record{Name: a.Name, Engine: identity, At: time.Now().UTC()}); err != nil {
		return nil, errors.Join(err, owned.Close())
	}
	// An error does not say that nothing is made: an engine goes on when whoever asked it has given up. So the record stays,
	// and the next drill looks.
	if t.id, err = e.CreateApart(ctx, a); err != nil {
		return nil, errors.Join(err, owned.Close())
	}
	return t, nil
}

// remove takes the container away, also after ctx has ended. Where that fails the record stays for the next run.
func (t *throwaway) remove(ctx context.Context, e *engine.Engine) error {
	ctx, cancel := text.Within(context.WithoutCancel(ctx), cleanUpLimit)
	defer cancel()
	err := e.RemoveApart(ctx, t.id)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = t.record.Remove()
	}
	return errors.Join(err, t.record.Close())
}

// Sweep takes away the containers of drills whose run is dead, and gives their names. A container is one of them only
// when it has the name and the label that the record says, on the engine that it says; everything else is left alone.
func Sweep(ctx context.Context, dir string, engines []*engine.Engine) (swept []string, problems error) {
	byIdentity := map[string]*engine.Engine{}
	for _, e := range engines {
		if identity, err := e.Identity(ctx); err == nil {
			byIdentity[identity] = e
		}
	}

	for left, err := range shelf(dir).Abandoned() {
		if held := new(journal.HeldError); errors.As(err, &held) {
			continue // a drill that runs just now
		}
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		e := byIdentity[left.Value.Engine]
		if e == nil {
			continue // its engine does not answer now
		}
		gone, err := removeLeft(ctx, e, left.Key(), left.Value)
		if err == nil {
			err = left.Remove()
		}
		if gone {
			swept = append(swept, left.Value.Name)
		}
		problems = errors.Join(problems, err)
	}
	return swept, problems
}

func removeLeft(ctx context.Context, e *engine.Engine, key string, r record) (removed bool, err error) {
	c, err := e.Inspect(ctx, r.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if c.Labels[labelDrill] != key {
		return false, fmt.Errorf("container %q is not the one of the drill, and was left alone", r.Name)
	}
	err = e.RemoveApart(ctx, c.ID)
	return err == nil, err
}
