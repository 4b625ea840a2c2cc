package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/text"
)

// pieceSize is how much of a file is sealed into one object: with what encryption adds, an object is below 128 MiB.
const pieceSize = 120 << 20

// source is a file of this host that goes into the bucket.
type source struct {
	name string   // in the folder of its series: ID/index.zst
	key  string   // of its objects, below the folder of the series, without the piece's number
	file *os.File // open, so that it can be read also when it is removed meanwhile
	size int64

	read *atomic.Int64 // how much of it is on its way
}

// pieces are the objects of a source that a listing of a bucket would show.
func (b *Bucket) pieces(s source) []archive.Object {
	var all []archive.Object
	for at := int64(0); at < s.size || at == 0; at += b.piece {
		all = append(all, archive.Object{
			Key: fmt.Sprintf("%s.%03d.age", s.key, len(all)), File: s.name, Offset: at, Plain: min(b.piece, s.size-at),
		})
	}
	return all
}

// seal writes a piece of a file, encrypted, to w.
func (b *Bucket) seal(ctx context.Context, w io.Writer, s source, o archive.Object) error {
	sealed, err := archive.SealTo(b.o.Recipients)
	if err != nil {
		return err
	}
	out, err := sealed.Writer(w)
	if err != nil {
		return err
	}
	from := io.NewSectionReader(s.file, o.Offset, o.Plain)
	buf := make([]byte, 64<<10)
	for done := int64(0); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := from.Read(buf)
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
		done += int64(n)
		if b.o.Progress != nil {
			b.o.Progress(o.File, min(s.read.Add(int64(n)), s.size), s.size) // more where a piece was sent again
		}
		if err == io.EOF && done == o.Plain { //nolint:errorlint // a SectionReader gives no other
			return out.Close()
		}
		if err == io.EOF { //nolint:errorlint // likewise
			return archive.Damagef(archive.DamageTruncated, o.File, "%s became shorter while it was read", s.file.Name())
		}
		if err != nil {
			return text.As(errHere, "a file of this host cannot be read: %v", err) // which names it
		}
	}
}

// sealedSize is how long a piece of that many bytes is when it is sealed to the recipients: age's header, its nonce,
// and 16 bytes for each 64 KiB (age-encryption.org/v1).
func (b *Bucket) sealedSize(plain int64) (int64, error) {
	sealed, err := archive.SealTo(b.o.Recipients)
	if err != nil {
		return 0, err
	}
	var empty bytes.Buffer
	out, err := sealed.Writer(&empty)
	if err != nil {
		return 0, err
	}
	if err := out.Close(); err != nil {
		return 0, err
	}
	const chunk, tag = 64 << 10, 16
	return int64(empty.Len()) - tag + plain + tag*max(1, (plain+chunk-1)/chunk), nil
}

// recipientsMark tells keys that are sealed to other recipients apart.
func recipientsMark(recipients []string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(recipients)), "\n")))
	return hex.EncodeToString(sum[:4])
}
