package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

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

// Missing are those whole backups of one folder, oldest first, that are to be brought into the bucket: all that are
// newer than the newest one there. An older one was there before, and was pruned.
func (s *Session) Missing(folder string, backups []store.Backup) []store.Backup {
	newest := ""
	for key := range s.have {
		rest, in := strings.CutPrefix(key, s.b.folderOf(folder))
		if id, isManifest := strings.CutSuffix(rest, "/"+archive.ManifestName); in && isManifest && archive.ValidID(id) {
			newest = max(newest, id)
		}
	}

	missing := slices.DeleteFunc(slices.Clone(backups), func(b store.Backup) bool { return !b.Whole() || b.ID <= newest })
	slices.SortFunc(missing, func(x, y store.Backup) int { return strings.Compare(x.ID, y.ID) })
	return missing
}

// Has reports whether a backup is in the bucket, folder being that of its series.
func (s *Session) Has(folder, id string) bool {
	_, there := s.have[path.Join(s.b.folderOf(folder), id, archive.ManifestName)]
	return there
}

// Push brings a backup of st into the bucket, folder being that of its series: what is not there yet, and at last its
// manifest, with which it is visible. What is there and is used again is locked for as long as the rest. One that no
// restore would take is refused before anything of it is sent (*archive.DamageError), as far as its index can be read
// here.
func (s *Session) Push(ctx context.Context, st *store.Store, folder string, backup store.Backup) (p Pushed, err error) {
	parts, err := st.Parts(backup)
	if err != nil {
		return p, err
	}
	defer func() { _ = parts.Close() }() // nothing was written through them
	if err := st.Verify(ctx, backup, false); err != nil {
		return p, err
	}
	if err := store.VerifyDigest(ctx, backup, parts.Manifest.Archive); err != nil {
		return p, err
	}
	var objects []archive.Object
	for _, part := range parts.Files {
		done, err := s.pushPart(ctx, folder, s.sourceOf(part), &p)
		if err != nil {
			return p, err
		}
		objects = append(objects, done...)
	}

	text, err := s.b.public(parts.Manifest, objects).Encode()
	if err != nil {
		return p, err
	}
	return p, s.publish(ctx, path.Join(s.b.folderOf(folder), backup.ID, archive.ManifestName), text, &p)
}

// sourceOf names the objects of a part: after what it is and whom it is sealed to. A pack of a removed backup gets
// shorter; it has other objects then.
func (s *Session) sourceOf(part store.Part) source {
	key := part.Name
	if part.Pack != "" {
		key = path.Join(packsFolder, part.Pack)
	}
	return source{name: part.Name, key: key + "-" + recipientsMark(s.b.o.Recipients), file: part.File, size: part.Size}
}

// pushPart makes sure that every piece of a part is in the bucket.
func (s *Session) pushPart(ctx context.Context, folder string, from source, p *Pushed) ([]archive.Object, error) {
	pieces := s.b.pieces("", from)
	for i := range pieces {
		o := &pieces[i]
		size, err := s.b.sealedSize(o.Plain)
		if err != nil {
			return nil, err
		}
		key := s.b.folderOf(folder) + o.Key
		if err := s.pushPiece(ctx, key, size, from, *o, p); err != nil {
			return nil, err
		}
		facts := s.b.known(key)
		if facts.size != size {
			return nil, s.b.fail("use", key, fmt.Errorf("it has %d bytes, not %d: another program wrote it; remove it", facts.size, size))
		}
		o.Bytes, o.SHA256 = size, facts.sum
	}
	return pieces, nil
}

func (s *Session) pushPiece(ctx context.Context, key string, size int64, from source, o archive.Object, p *Pushed) error {
	if err := s.keepAlive(ctx); err != nil {
		return err
	}
	if have, there := s.have[key]; there && have.size == size {
		known, err := s.b.look(ctx, key)
		if err != nil {
			return err
		}
		if known {
			p.Shared++
			return s.b.extend(ctx, key)
		}
	}

	made, err := s.b.put(ctx, key, func(w io.Writer) error { return s.b.seal(ctx, w, from, o) })
	if err != nil {
		return err
	}
	s.have[key] = listed{size: size, modified: s.b.o.Now()}
	if !made {
		p.Shared++
		return s.b.extend(ctx, key)
	}
	p.Sent++
	p.Bytes += size
	return nil
}

// publish makes the backup visible. Another run may have done so already, with the same content: then it is there.
func (s *Session) publish(ctx context.Context, key string, text []byte, p *Pushed) error {
	made, err := s.b.put(ctx, key, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
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
	p.Recipe, p.Launch, p.Standing, p.SkipPaths, p.Content.Digest = nil, nil, nil, nil, ""
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
