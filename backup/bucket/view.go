package bucket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/sandboxname"
)

// readsAtOnce is how many small objects are read at the same time.
const readsAtOnce = 16

// Names of the notes beside a manifest, as a store has them.
const (
	verifiedName = "verified.json"
	drilledName  = "drilled.json"
)

// damagedSuffix ends the key of the note that an object is damaged. It says when that was found.
const damagedSuffix = ".damaged"

// View shows what a host has in the bucket as a store on this host: a folder with the manifests of all backups, to
// which Fetch adds the content of those that are asked for. It is a copy to look at and to restore from; what is
// changed in it is changed there only.
type View struct {
	b     *Bucket
	Root  string            // of the store
	have  map[string]listed // what is below the host
	sums  map[string]error  // what the proof of an object came to
	heads map[string]string // what a manifest in the bucket says its content's SHA-256 is, by folder and id
	mu    sync.Mutex

	damaged map[string]bool // objects that are there and are not what was written
}

// View makes a view in the folder root, which must be there and empty.
func (b *Bucket) View(ctx context.Context, root string) (*View, error) {
	have, err := b.list(ctx, b.home())
	if err != nil {
		return nil, err
	}
	v := &View{b: b, Root: root, have: have, sums: map[string]error{}, heads: map[string]string{}, damaged: map[string]bool{}}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(readsAtOnce)
	for key, o := range have {
		rel := strings.TrimPrefix(key, b.home())
		if _, _, ok := splitKey(rel); !ok {
			continue
		}
		work.Go(func() error { return v.take(ctx, key, rel, o.size) })
	}

	return v, work.Wait()
}

// splitKey takes the key of a manifest, or of a note beside one, apart: into the folder of its series and the backup's
// id.
func splitKey(rel string) (folder, id string, ok bool) {
	dir, name := path.Split(rel)
	if !slices.Contains([]string{archive.ManifestName, verifiedName, drilledName}, name) {
		return "", "", false
	}
	folder, id = path.Split(strings.TrimSuffix(dir, "/"))
	folder = strings.TrimSuffix(folder, "/")
	series := strings.TrimPrefix(folder, archive.GatewayFolder+"/")
	return folder, id, archive.ValidID(id) && sandboxname.CheckFolder(series) == nil
}

func (v *View) take(ctx context.Context, key, rel string, size int64) error {
	text, err := v.b.small(ctx, key, size)
	if err != nil {
		return err
	}
	file := filepath.Join(v.Root, filepath.FromSlash(rel))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if m, err := archive.DecodeManifest(text, true); err == nil {
		v.mu.Lock()
		v.heads[path.Dir(rel)] = m.Archive.SHA256
		v.mu.Unlock()
	}

	return os.WriteFile(file, text, 0o600)
}

// Empty reports whether the host has no backup in the bucket.
func (v *View) Empty() bool {
	for key := range v.have {
		if _, _, ok := splitKey(strings.TrimPrefix(key, v.b.home())); ok {
			return false
		}
	}
	return true
}

// folder is the folder of a backup's series, as keys have it.
func (v *View) folder(backup store.Backup) (string, error) {
	rel, err := filepath.Rel(v.Root, filepath.Dir(backup.Dir))
	return filepath.ToSlash(rel), err
}

// Retired is how many bytes there are of packs that some of these backups share, and whose own backup is not among them.
func (v *View) Retired(backups []store.Backup) (bytes int64) {
	own, shared := map[string]bool{}, map[string]int64{}
	for _, b := range backups {
		folder, err := v.folder(b)
		if err != nil || b.Damage != nil {
			continue
		}
		for _, o := range b.Manifest.Objects {
			if key := path.Join(folder, o.Key); o.Shared() {
				shared[key] = o.Bytes
			} else {
				own[key] = true
			}
		}
	}

	for key, size := range shared {
		if !own[key] {
			bytes += size
		}
	}
	return bytes
}

// Path is where a backup lies in the bucket, as people write it.
func (v *View) Path(backup store.Backup) string {
	folder, err := v.folder(backup)
	if err != nil {
		return v.b.Address()
	}
	return v.b.object(v.b.folderOf(folder) + backup.ID)
}

// head reads what the bucket says of a backup.
func (v *View) head(backup store.Backup) (folder string, m *archive.Manifest, err error) {
	if folder, err = v.folder(backup); err != nil {
		return "", nil, err
	}
	text, err := os.ReadFile(filepath.Join(backup.Dir, archive.ManifestName))
	if err != nil {
		return "", nil, err
	}
	m, err = archive.DecodeManifest(text, true)
	if err == nil && len(m.Objects) == 0 {
		err = archive.Damagef(archive.DamageManifest, archive.ManifestName, "it does not say which objects the backup is made of")
	}
	return folder, m, err
}

// Verify proves that the objects of a backup are there; with readData that every byte of them is what was written. What
// is in them only a key can show. It goes on to the last object, for MarkDamaged; the first damage is the error.
func (v *View) Verify(ctx context.Context, backup store.Backup, readData bool) error {
	folder, m, err := v.head(backup)
	if err != nil {
		return err
	}
	var first error
	for _, o := range m.Objects {
		key := v.b.folderOf(folder) + o.Key
		err := v.verifyObject(ctx, key, o, readData)
		if _, damaged := errors.AsType[*archive.DamageError](err); err != nil && !damaged {
			return err
		}
		if _, there := v.have[key]; err != nil && there {
			v.damaged[key] = true
		}
		first = cmp.Or(first, err)
	}
	return first
}

func (v *View) verifyObject(ctx context.Context, key string, o archive.Object, readData bool) error {
	have, there := v.have[key]
	switch {
	case !there:
		return archive.Damagef(archive.DamageArchiveMissing, v.b.object(key), "it is missing")
	case have.size < o.Bytes:
		return archive.Damagef(archive.DamageTruncated, v.b.object(key), "it has %d bytes, not %d", have.size, o.Bytes)
	case have.size > o.Bytes:
		return archive.Damagef(archive.DamageExtended, v.b.object(key), "it has %d bytes, not %d", have.size, o.Bytes)
	case !readData:
		return nil
	}
	return v.prove(ctx, key, o)
}

// prove reads an object once, however many backups use it.
func (v *View) prove(ctx context.Context, key string, o archive.Object) error {
	if err, proven := v.sums[key]; proven {
		return err
	}
	sum, err := v.b.readSum(ctx, key, o.Bytes)
	if err != nil {
		return err
	}
	if sum != o.SHA256 {
		err = archive.Damagef(archive.DamageDigest, v.b.object(key), "its SHA-256 is %s, not %s", sum, o.SHA256)
	}
	v.sums[key] = err
	return err
}

// MarkVerified notes in the bucket that every byte of a backup was read and proven.
func (v *View) MarkVerified(ctx context.Context, backup store.Backup) error {
	return v.mark(ctx, backup, verifiedName, func(sum string) any {
		return store.Verified{At: v.b.o.Now().UTC().Truncate(time.Second), ReadData: true, SHA256: sum}
	})
}

// MarkDamaged notes beside each object that was found damaged that it is: the next backup that needs what is in it sends
// that again, beside it. Those that were sent before stay damaged. n is how many are noted.
func (v *View) MarkDamaged(ctx context.Context) (n int, err error) {
	for key := range v.damaged {
		note := key + damagedSuffix
		if _, noted := v.have[note]; noted {
			continue
		}
		text := []byte(v.b.o.Now().UTC().Format(time.RFC3339) + "\n")
		if err := v.b.replace(ctx, note, text); err != nil {
			return 0, err
		}
		v.have[note] = listed{size: int64(len(text)), modified: v.b.o.Now()}
	}
	return len(v.damaged), nil
}

// MarkDrilled notes in the bucket that a backup was restored into a throw-away container.
func (v *View) MarkDrilled(ctx context.Context, backup store.Backup, took time.Duration, check string) error {
	return v.mark(ctx, backup, drilledName, func(sum string) any {
		return store.Drilled{At: v.b.o.Now().UTC().Truncate(time.Second), TookMs: took.Milliseconds(), Check: check, SHA256: sum}
	})
}

// ForgetVerified takes the note of an earlier verification away.
func (v *View) ForgetVerified(ctx context.Context, backup store.Backup) error {
	folder, err := v.folder(backup)
	key := path.Join(v.b.folderOf(folder), backup.ID, verifiedName)
	if _, there := v.have[key]; err != nil || !there {
		return err
	}
	return v.b.remove(ctx, key)
}

func (v *View) mark(ctx context.Context, backup store.Backup, name string, of func(sum string) any) error {
	folder, err := v.folder(backup)
	if err != nil {
		return err
	}
	sum, known := v.heads[path.Join(folder, backup.ID)]
	if !known {
		return errors.New("the bucket's manifest of it cannot be believed")
	}
	text, err := json.Marshal(of(sum))
	if err != nil {
		return err
	}
	return v.b.replace(ctx, path.Join(v.b.folderOf(folder), backup.ID, name), append(text, '\n'))
}
