package backup

import (
	"context"

	"sandkeeper/backup/store"
	"sandkeeper/sandbox"
)

// checkSpace asks for the room of all backups before the first one is begun. The need is an estimate (Expect). Where
// nothing can be estimated, or the room cannot be seen, the run goes on: the disk has the last word anyway.
func (w *run) checkSpace(ctx context.Context, chosen []sandbox.Sandbox) error {
	room, err := w.Store.Free()
	if err != nil {
		return nil
	}
	var need int64
	var count int
	for _, sb := range chosen {
		if w.judge(sb) == (verdict{}) {
			need += w.estimate(ctx, sb)
			count++
		}
	}

	if need <= room {
		return nil
	}
	return &NoRoomError{Sandboxes: count, Need: need, Free: room, Dir: w.Store.Root()}
}

// Expect estimates how many bytes the next backup of a sandbox takes: what its last one lets expect, or half of what
// the container has written, for homes compress to about that. last is nil without a backup, written without a
// container; false when neither tells.
func Expect(ctx context.Context, last *store.Backup, written func(context.Context) (int64, error)) (int64, bool) {
	if last != nil {
		return last.Next(), true
	}
	if written == nil {
		return 0, false
	}
	bytes, err := written(ctx)
	return bytes / 2, err == nil
}

func (w *run) estimate(ctx context.Context, sb sandbox.Sandbox) int64 {
	if last, err := w.Store.LatestOf(store.Series{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name}); err == nil {
		bytes, _ := Expect(ctx, &last, nil)
		return bytes
	}
	if sb.Container == nil || w.engine(sb) == nil {
		return 0
	}
	bytes, _ := Expect(ctx, nil, func(ctx context.Context) (int64, error) {
		facts, err := w.engine(sb).Describe(ctx, sb.Container.ID, true)
		if err == nil {
			w.written[sb.Container.ID] = facts.Size
		}
		return facts.Size, err
	})
	return bytes
}

// expected is how much of a home its progress is held against: what it had at the last backup, else what the engine
// says that the container has written. 0 when neither is known.
func (w *run) expected(sb sandbox.Sandbox) int64 {
	if last := w.previousSize(sb); last > 0 || sb.Container == nil {
		return last
	}
	return w.written[sb.Container.ID]
}

// previousSize is how many bytes the sandbox's home had at its last backup; 0 when there is none.
func (w *run) previousSize(sb sandbox.Sandbox) int64 {
	last, err := w.Store.LatestOf(store.Series{Gateway: sb.Gateway, Workspace: sb.Workspace, Name: sb.Name})
	if err != nil {
		return 0
	}
	return last.Manifest.Content.Bytes
}
