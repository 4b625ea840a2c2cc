package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// piecesAtOnce is how many objects are read at the same time, each by ranges.
const piecesAtOnce = 4

// Fetch brings the content of a backup into the view, as it lay on the host that saved it: whatever a store can do with
// a backup can then be done with it. Nothing proves yet that it is whole. ErrNoIdentity when no key opens it.
func (v *View) Fetch(ctx context.Context, backup store.Backup) error {
	folder, m, err := v.head(backup)
	if err != nil {
		return err
	}
	series := filepath.Join(v.Root, filepath.FromSlash(folder))
	files, err := v.filesOf(series, backup.ID, m)
	defer closeAll(files)
	if err != nil {
		return errors.Join(err, removeAll(files))
	}
	work, wctx := errgroup.WithContext(ctx)
	work.SetLimit(piecesAtOnce)
	for _, o := range m.Objects {
		if f := files[o.File]; f != nil {
			work.Go(func() error { return v.fetchPiece(wctx, v.b.folderOf(folder)+o.Key, o, f) })
		}
	}

	if err := work.Wait(); err != nil {
		return errors.Join(err, removeAll(files)) // a part of a pack would pass for the pack when the next backup asks for it
	}
	return v.settle(files, filepath.Join(backup.Dir, archive.ManifestName))
}

// manifestPart is the manifest of the host while the bucket's own is still in its place.
const manifestPart = ".tmp-" + archive.ManifestName

// filesOf makes the files that a backup is made of, but for packs that are in the view already.
func (v *View) filesOf(series, id string, m *archive.Manifest) (map[string]*os.File, error) {
	files := map[string]*os.File{}
	for _, o := range m.Objects {
		if err := checkObject(o, id); err != nil {
			return files, err
		}
		if _, known := files[o.File]; known {
			continue
		}
		f, err := makeFile(series, o.File, id)
		if err != nil {
			return files, err
		}
		files[o.File] = f
	}
	return files, nil
}

// checkObject refuses an object whose words lead out of the backup.
func checkObject(o archive.Object, id string) error {
	dir, name := path.Split(o.File)
	own := dir == id+"/" && slices.Contains([]string{
		archive.ManifestName, archive.IndexName, archive.ArchiveName, archive.PackName, archive.EncryptedName, archive.RecipeName, archive.EncryptedRecipeName,
		archive.EncryptedIndexName, archive.EncryptedPackName, archive.NoteName,
	}, name)
	_, sealed := archive.SealedID(name)
	pack := packOf(name)
	shared := dir == archive.RetiredFolder+"/" && (sealed || archive.ValidID(pack) && (o.File == archive.Retired(pack) || o.File == archive.RetiredNote(pack)))
	if !own && !shared || path.Clean(o.Key) != o.Key || !filepath.IsLocal(o.Key) || o.Offset < 0 || o.Plain < 0 || o.Bytes < 0 {
		return archive.Damagef(archive.DamageManifest, archive.ManifestName, "it names the object %q for the file %q", o.Key, o.File)
	}
	return nil
}

// packOf is the id of the pack that a file of the folder of retired packs is of.
func packOf(name string) string {
	const length = len("20261121T101500Z-1f3a")
	return name[:min(length, len(name))]
}

// makeFile makes a file of a backup in the view; nil when it is a pack that the view has.
func makeFile(series, name, id string) (*os.File, error) {
	if name == id+"/"+archive.ManifestName {
		name = id + "/" + manifestPart
	}
	file := filepath.Join(series, filepath.FromSlash(name))
	if path.Dir(name) == archive.RetiredFolder && havePack(series, path.Base(name)) {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// havePack reports whether the view has a file of a pack, fetched with an earlier backup.
func havePack(series, name string) bool {
	id := packOf(name)
	places := []string{filepath.Join(id, archive.ArchiveName), filepath.Join(id, archive.PackName), filepath.Join(id, archive.NoteName)}
	for _, rel := range append(places, filepath.Join(archive.RetiredFolder, name)) {
		if _, err := os.Lstat(filepath.Join(series, rel)); err == nil {
			return true
		}
	}
	return false
}

func (v *View) fetchPiece(ctx context.Context, key string, o archive.Object, to *os.File) error {
	have, there := v.have[key]
	if !there {
		return archive.Damagef(archive.DamageArchiveMissing, v.b.object(key), "it is missing")
	}
	plain, err := v.b.o.Identities.Unseal(v.b.read(ctx, key, have.size), v.b.object(key))
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(io.NewOffsetWriter(to, o.Offset), onlyReader{plain}, make([]byte, 256<<10))
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		if _, failed := errors.AsType[*Error](err); failed {
			return err
		}
		if _, disk := errors.AsType[*fs.PathError](err); disk {
			return err
		}
		return archive.Damagef(archive.DamageDigest, v.b.object(key), "what is in it cannot be opened: %w", err)
	case n != o.Plain:
		return archive.Damagef(archive.DamageTruncated, v.b.object(key), "it holds %d bytes, not %d", n, o.Plain)
	}

	return nil
}

// settle puts the host's own manifest in the place of the bucket's.
func (v *View) settle(files map[string]*os.File, manifest string) error {
	for _, f := range files {
		if f == nil {
			continue
		}
		if filepath.Base(f.Name()) != manifestPart {
			continue
		}
		if err := os.Rename(f.Name(), manifest); err != nil {
			return fmt.Errorf("put the manifest in place: %w", err)
		}
		return nil
	}
	return archive.Damagef(archive.DamageManifest, archive.ManifestName, "the bucket has not the one that the host wrote")
}

func removeAll(files map[string]*os.File) error {
	var problems []error
	for _, f := range files {
		if f != nil {
			problems = append(problems, os.Remove(f.Name()))
		}
	}
	return errors.Join(problems...)
}

func closeAll(files map[string]*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // what was written is read again, and proven
		}
	}
}
