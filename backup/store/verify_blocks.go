package store

import (
	"context"
	"errors"
	"path/filepath"

	"sandkeeper/backup/archive"
)

// verifyBlocks proves a backup of blocks: its packs have all that it needs and, with ReadData, every byte of its own
// pack and every block that it needs of the others is what it was.
func verifyBlocks(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	if err := archive.CheckRuns(b.Dir, m, o.Identities); err != nil || !o.ReadData {
		return Verification{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	whole := make(chan error, 1)
	go func() { whole <- VerifyDigest(ctx, b, m.Archive) }()
	err := proveContent(ctx, b, m, o)
	if err != nil {
		stop()
	}
	if digest := <-whole; err == nil {
		err = digest
	}
	if err != nil {
		return Verification{}, err
	}
	return Verification{ReadData: true, Decrypted: true, Entries: m.Content.Entries, Bytes: m.Archive.Bytes}, nil
}

func proveContent(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) error {
	if o.Proofs != nil {
		return o.Proofs.verify(ctx, b, m, o)
	}
	_, err := readEntries(ctx, b, m, o)
	return err
}

// verifySealed proves an encrypted backup as far as that is possible without a key that opens it: that it, and every
// pack that it needs, are there and, with ReadData, the same bytes as were written. What is in them it does not tell.
func verifySealed(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) (Verification, error) {
	err := checkFiles(ctx, b, m)
	if err == nil && o.ReadData {
		err = VerifyDigest(ctx, b, m.Archive)
	}
	for _, id := range m.Packs {
		if err != nil {
			break
		}
		err = o.Proofs.sealed(ctx, filepath.Dir(b.Dir), id, o.ReadData)
	}

	if err != nil {
		return Verification{}, err
	}
	return Verification{ReadData: o.ReadData, Bytes: m.Archive.Bytes}, nil
}

// sealed proves an encrypted pack in the folder of a series without opening it, unless that was done.
func (p Proofs) sealed(ctx context.Context, folder, id string, readData bool) error {
	note, path, err := archive.FindNote(folder, id)
	if err != nil {
		return err
	}
	key := path + ", as it lies on disk"
	if bad, proven := p[key]; proven && readData {
		return bad[0]
	}
	err = note.Check(ctx, path, readData)
	if _, damaged := errors.AsType[*archive.DamageError](err); p != nil && readData && (err == nil || damaged) {
		p[key] = map[int]error{0: err}
	}
	return err
}

// Proofs remember which frames of packs were proven, and which of them are damaged.
type Proofs archive.Proofs

// verify proves what a backup needs of its packs, as far as that was not done, and compares its entries with its index.
func (p Proofs) verify(ctx context.Context, b Backup, m *archive.Manifest, o VerifyOptions) error {
	_, begun := p[filepath.Join(b.Dir, m.Archive.File)]
	if !begun && m.SelfContained() {
		_, err := readEntries(ctx, b, m, o)
		return err
	}
	r, err := archive.OpenHeads(ctx, b.Dir, m, o.Identities, archive.Proofs(p))
	if err != nil {
		return err
	}
	return errors.Join(verifyEntries(ctx, r, m), r.Close())
}
