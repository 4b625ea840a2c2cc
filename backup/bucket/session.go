package bucket

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"sandkeeper/internal/text"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What a session does. Several may write at once, for whatever they both write is the same; a removal is alone, for
// what it removes another session may be about to rely on.
const (
	Writing  = "sync"
	Removing = "prune"
)

// busyFolder holds, below a host, a note of each session that is under way.
const busyFolder = ".busy/"

// forgotten is how old the note of a session on another host must be to be taken for one that was killed.
const forgotten = 24 * time.Hour

// Session is one run that changes what a host has in the bucket. It begins with a note of itself and a look at the
// others': whoever of two comes second sees the first.
type Session struct {
	b     *Bucket
	kind  string
	note  string            // key
	text  []byte            // of the note
	noted time.Time         // when it was written last
	have  map[string]listed // what lay below the host when it began
}

// note says whose a session is.
type note struct {
	Kind    string    `json:"kind"`
	Machine string    `json:"machine"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
}

// BusyError says that another run is at work on a host's backups in the bucket.
type BusyError struct {
	Address, Kind, Machine string
	PID                    int
	Since                  time.Time
}

// Error names the other run.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is in use by %s of process %d on %s since %s", e.Address, e.Kind, e.PID, e.Machine, e.Since.Format(time.RFC3339))
}

// Begin opens a session. machine names this machine; a note of it from before is of a run that was killed, for the
// caller holds a kernel lock that makes runs of one machine follow each other.
func (b *Bucket) Begin(ctx context.Context, kind, machine string, pid int) (*Session, error) {
	if kind == Writing {
		if len(b.o.Recipients) == 0 {
			return nil, ErrNoRecipients
		}
		if err := b.prepareLock(ctx); err != nil {
			return nil, err
		}
	}

	s := &Session{b: b, kind: kind, note: b.home() + busyFolder + kind + "-" + rand.Text() + ".json"}
	text, err := json.Marshal(note{Kind: kind, Machine: machine, PID: pid, Since: b.o.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	if err := b.probe(ctx, s.note, text); err != nil {
		return nil, err
	}
	s.text, s.noted = text, b.o.Now()
	if s.have, err = b.list(ctx, b.home()); err == nil {
		err = s.alone(ctx, machine)
	}
	if err != nil {
		return nil, errors.Join(err, s.End(ctx))
	}
	return s, nil
}

// probe writes the note of a session twice: a server that lets the second one through does not know If-None-Match.
func (b *Bucket) probe(ctx context.Context, key string, text []byte) error {
	err := b.putNote(ctx, key, text)
	if err == nil {
		err = b.putNote(ctx, key, text)
		if err == nil {
			b.doubt()
		}
	}

	switch {
	case err == nil, exists(err): // also the first time: its answer may have been lost, and it was written again
		return nil
	case unknown(err):
		b.doubt()
		return b.replace(ctx, key, text)
	}
	return b.fail("write", key, err)
}

func (b *Bucket) putNote(ctx context.Context, key string, text []byte) error {
	w := b.writer(ctx, key)
	w.buffer, w.size = text, int64(len(text))
	_, err := w.finish()
	return err
}

// alone refuses to go on beside a session that excludes this one.
func (s *Session) alone(ctx context.Context, machine string) error {
	for key, o := range s.have {
		name, of := strings.CutPrefix(key, s.b.home()+busyFolder)
		if !of || key == s.note {
			continue
		}
		if o.size == 0 { // of a session that is over
			if err := s.b.forget(ctx, key); err != nil && !denied(err) {
				return err
			}
			continue
		}
		text, err := s.b.small(ctx, key, o.size)
		var other note
		if err != nil || json.Unmarshal(text, &other) != nil {
			other = note{Kind: strings.SplitN(name, "-", 2)[0], Since: o.modified}
		}
		switch {
		case other.Machine == machine, s.b.o.Now().Sub(o.modified) > forgotten:
			if err := s.b.over(ctx, key); err != nil {
				return err
			}
		case s.kind == Removing || other.Kind == Removing:
			return &BusyError{Address: s.b.Address(), Kind: other.Kind, Machine: other.Machine, PID: other.PID, Since: other.Since}
		}
	}
	return nil
}

// End takes the session's note away. It works also after ctx is over.
func (s *Session) End(ctx context.Context) error {
	ctx, stop := text.Within(context.WithoutCancel(ctx), s.b.o.Stall)
	defer stop()
	return s.b.over(ctx, s.note)
}

// over says that the session of a note has ended: it takes the note away. Who may write below a host and not remove, as
// docs/fleet.md advises, leaves the note empty; the next session that may remove takes it away.
func (b *Bucket) over(ctx context.Context, note string) error {
	err := b.forget(ctx, note)
	if denied(err) {
		return b.replace(ctx, note, nil)
	}
	return err
}

// forget removes a note; where the bucket locks what is put into it, from sight.
func (b *Bucket) forget(ctx context.Context, note string) error {
	err := b.removeVersions(ctx, note)
	if _, locked := errors.AsType[*LockedError](err); locked {
		return b.remove(ctx, note)
	}
	return err
}

// keepAlive writes the session's note anew, long before anybody takes the session for one that was killed.
func (s *Session) keepAlive(ctx context.Context) error {
	now := s.b.o.Now()
	if now.Sub(s.noted) < forgotten/12 {
		return nil
	}
	s.noted = now
	return s.b.replace(ctx, s.note, s.text)
}

// remove removes an object; that it is gone already is no error.
func (b *Bucket) remove(ctx context.Context, key string) error {
	client, err := b.connect()
	if err != nil {
		return b.fail("remove", key, err)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}); err != nil && !absent(err) {
		return b.fail("remove", key, err)
	}
	return nil
}

// Abandoned takes back uploads in parts that were begun below the host and not ended for a day: a killed run has left
// them. Who may not do that leaves them: nothing that is sent needs it.
func (s *Session) Abandoned(ctx context.Context) error {
	client, err := s.b.connect()
	if err != nil {
		return s.b.fail("list", s.b.home(), err)
	}
	prefix := s.b.home()
	for in := (&s3.ListMultipartUploadsInput{Bucket: &s.b.name, Prefix: &prefix}); ; {
		page, err := client.ListMultipartUploads(ctx, in)
		if unknown(err) || err != nil && kindOf(err) == Denied {
			return nil
		}
		if err != nil {
			return s.b.fail("list unfinished uploads of", prefix, err)
		}
		for _, u := range page.Uploads {
			if s.b.o.Now().Sub(aws.ToTime(u.Initiated)) < forgotten {
				continue
			}
			_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.b.name, Key: u.Key, UploadId: u.UploadId})
			if err != nil && kindOf(err) == Denied {
				return nil
			}
			if err != nil && !absent(err) {
				return s.b.fail("take back an unfinished upload of", aws.ToString(u.Key), err)
			}
		}

		if in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker; !aws.ToBool(page.IsTruncated) {
			return nil
		}
	}
}

// folderOf is where the backups of a series lie in the bucket; gateways' own state is apart, as in a store.
func (b *Bucket) folderOf(series string) string { return b.home() + path.Clean(series) + "/" }
