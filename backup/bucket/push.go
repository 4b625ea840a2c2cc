package bucket

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
)

// packsFolder holds, in the folder of a series, the packs of its backups.
const packsFolder = "packs"

// Pushed is what it took to bring a backup into the bucket.
type Pushed struct {
	Sent   int   // objects that were written
	Bytes  int64 // of these
	Shared int   // objects that were there: other backups use them as well, or an earlier run had written them
}

// Missing are those whole backups of one folder, oldest first, that are to be brought into the bucket, and how many are
// not, for they were there and were removed. What was removed is not sent again as long as a newer backup is there: a
// bucket that was emptied gets all of them.
func (s *Session) Missing(folder string, backups []store.Backup) (missing []store.Backup, removed int) {
	newest := ""
	for key := range s.have {
		rest, in := strings.CutPrefix(key, s.b.folderOf(folder))
		if id, isManifest := strings.CutSuffix(rest, "/"+archive.ManifestName); in && isManifest && archive.ValidID(id) {
			newest = max(newest, id)
		}
	}

	for _, b := range backups {
		switch {
		case !b.Whole() || s.Has(folder, b.ID):
		case b.ID < newest && store.WasSynced(b, s.b.Address()):
			removed++
		default:
			missing = append(missing, b)
		}
	}

	slices.SortFunc(missing, func(x, y store.Backup) int { return strings.Compare(x.ID, y.ID) })
	return missing, removed
}

// Has reports whether a backup is in the bucket, folder being that of its series.
func (s *Session) Has(folder, id string) bool {
	_, there := s.have[path.Join(s.b.folderOf(folder), id, archive.ManifestName)]
	return there
}

// Push brings a backup of st into the bucket, folder being that of its series: what is not there yet, and at last its
// manifest, with which it is visible. What is there and is used again is locked for as long as the rest. A backup that
// no restore would take is refused (*archive.DamageError), as far as its index can be read here, and nothing of it is
// seen in the bucket or locked there: what is sent is proven meanwhile, and each object waits for that proof.
func (s *Session) Push(ctx context.Context, st *store.Store, folder string, backup store.Backup) (p Pushed, err error) {
	parts, err := st.Parts(backup)
	if err != nil {
		return p, err
	}
	defer func() { _ = parts.Close() }() // nothing was written through them
	if err := st.Verify(ctx, backup, false); err != nil {
		return p, err
	}
	objects, err := s.pushParts(ctx, folder, parts, &p)
	if err != nil {
		return p, err
	}
	text, err := s.b.public(parts.Manifest, objects).Encode()
	if err != nil {
		return p, err
	}
	return p, s.publish(ctx, path.Join(s.b.folderOf(folder), backup.ID, archive.ManifestName), text, &p)
}

// pushParts makes sure that every piece of every part is in the bucket, and that the backup's own archive is whole. So
// are the packs of other backups that are sent with it; one that is in the bucket was whole when it was sent.
func (s *Session) pushParts(ctx context.Context, folder string, parts *store.Parts, p *Pushed) (objects []archive.Object, err error) {
	pieces, err := s.piecesOf(folder, parts)
	if err != nil {
		return nil, err
	}
	work, wctx := errgroup.WithContext(ctx)
	work.SetLimit(1 + objectsAtOnce)
	others := s.sendsOthers(pieces)
	proven := sync.OnceValue(func() error { return parts.Prove(wctx, others) })
	work.Go(proven)
	for _, o := range pieces {
		if err = s.keepAlive(wctx); err != nil {
			break
		}
		work.Go(func() error { return s.pushPiece(wctx, o, proven) })
	}

	sending := work.Wait()
	for _, o := range pieces {
		s.count(o, p)
		objects = append(objects, o.Object)
	}
	return objects, cmp.Or(proven(), sending, err)
}

// sendsOthers reports whether a pack of another backup has to be sent: that one was removed here, or did not leave the
// host because it is damaged.
func (s *Session) sendsOthers(pieces []*piece) bool {
	return slices.ContainsFunc(pieces, func(o *piece) bool {
		return o.Shared() && o.from.name != pieces[0].from.name && !s.lists(o)
	})
}

// lists reports whether the bucket has an object of that name and length: it had when the session began, or was given it.
func (s *Session) lists(o *piece) bool {
	have, listed := s.have[o.key]
	return listed && have.size == o.Bytes
}

// count takes a piece into account, if it is in the bucket now.
func (s *Session) count(o *piece, p *Pushed) {
	switch {
	case !o.there:
		return
	case o.made:
		p.Sent++
		p.Bytes += o.Bytes
	default:
		p.Shared++
	}
	s.have[o.key] = listed{size: o.Bytes, modified: s.b.o.Now()}
}

// piece is an object of a backup on its way into the bucket.
type piece struct {
	archive.Object
	key  string // in the bucket
	from source

	there bool // now
	made  bool // by this run
}

// piecesOf are the objects that a backup is made of, in the order of its parts.
func (s *Session) piecesOf(folder string, parts *store.Parts) (all []*piece, err error) {
	for _, part := range parts.Files {
		from := s.sourceOf(part)
		for _, o := range s.b.pieces(from) {
			if o.Bytes, err = s.b.sealedSize(o.Plain); err != nil {
				return nil, err
			}
			o.Key = s.soundKey(s.b.folderOf(folder), o.Key)
			all = append(all, &piece{Object: o, key: s.b.folderOf(folder) + o.Key, from: from})
		}
	}
	return all, nil
}

// soundKey is the key of an object, or, where a verification found that one damaged, of the one that is sent in its
// place: nothing is written over what earlier backups name. It is used also when the damaged one is gone.
func (s *Session) soundKey(folder, key string) string {
	free := ""
	for again, name := 1, key; ; again++ {
		if again > 1 {
			name = fmt.Sprintf("%s.%d.age", strings.TrimSuffix(key, ".age"), again)
		}
		_, there := s.have[folder+name]
		_, damaged := s.have[folder+name+damagedSuffix]
		switch {
		case damaged:
		case there:
			return name
		case again > 1:
			return cmp.Or(free, name)
		default:
			free = name
		}
	}
}

// sourceOf names the objects of a part: after what it is and whom it is sealed to. A pack of a removed backup gets
// shorter; it has other objects then.
func (s *Session) sourceOf(part store.Part) source {
	key := part.Name
	if part.Pack != "" {
		key = path.Join(packsFolder, part.Pack)
	}
	return source{name: part.Name, key: key + "-" + recipientsMark(s.b.o.Recipients), file: part.File, size: part.Size, read: new(atomic.Int64)}
}

// pushPiece makes sure that a piece is in the bucket. It is not seen there, and not locked for longer, before the backup
// is proven.
func (s *Session) pushPiece(ctx context.Context, o *piece, proven func() error) (err error) {
	there := s.lists(o)
	if there {
		there, err = s.b.look(ctx, o.key)
	}
	if !there && err == nil {
		o.made, err = s.b.put(ctx, o.key, func(w *writer) error {
			if err := s.b.seal(ctx, w, o.from, o.Object); err != nil {
				return err
			}
			return proven()
		})
	}
	if err != nil {
		return err
	}

	facts := s.b.known(o.key)
	if facts.size != o.Bytes {
		return s.b.fail("use", o.key, fmt.Errorf("it has %d bytes, not %d: another program wrote it; remove it", facts.size, o.Bytes))
	}
	if err := proven(); err != nil {
		return err
	}
	o.SHA256, o.there = facts.sum, true
	if o.made {
		return nil
	}
	o.from.read.Add(o.Plain)
	return s.b.extend(ctx, o.key)
}

// publish makes the backup visible. Another run may have done so already, with the same content: then it is there.
func (s *Session) publish(ctx context.Context, key string, text []byte, p *Pushed) error {
	made, err := s.b.put(ctx, key, whole(text))
	if err != nil {
		return err
	}
	s.have[key] = listed{size: int64(len(text)), modified: s.b.o.Now()}
	if made {
		p.Sent++
		p.Bytes += int64(len(text))
	}
	return nil
}

// public is what everybody who may read the bucket may know of a backup: no paths, no digests of content, nothing that
// the gateway told.
func (b *Bucket) public(m *archive.Manifest, objects []archive.Object) *archive.Manifest {
	p := *m.Head()
	p.Schema, p.Blocks, p.IndexFile = archive.SchemaArchive, nil, nil
	p.Recipe, p.Launch, p.Standing, p.Looked, p.SkipPaths, p.Parts, p.Content.Digest = nil, nil, nil, nil, nil, nil, ""
	if p.PackNote, p.Packs = nil, nil; !m.Sealed() {
		p.Hide()
	}
	p.Encryption = &archive.Encryption{Recipients: b.o.Recipients}
	p.Objects = objects
	sum := sha256.New()
	p.Archive = archive.ArchiveFile{File: archive.EncryptedName}
	for _, o := range objects {
		_, _ = io.WriteString(sum, o.SHA256+"\n")
		if !o.Shared() {
			p.Archive.Bytes += o.Bytes
		}
	}

	p.Archive.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return &p
}
