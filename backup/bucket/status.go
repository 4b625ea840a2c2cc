package bucket

import (
	"context"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sandkeeper/backup/archive"
)

// statusFolder holds, beside the hosts, what each of them says in short of its backups. No host has such a name.
const statusFolder = "_status/"

// maxStatus bounds what a host may say of itself.
const maxStatus = 4 << 20

// statusTries is how often a host's status is looked at again because another run wrote it meanwhile.
const statusTries = 5

// HostStatus is what a host says in short of its backups in the bucket.
type HostStatus struct {
	Host string
	At   time.Time // when it was written, by the server's clock
	Text []byte
	Err  error // why the text could not be read; nil when it could
}

// ChangeStatus makes what change returns what the host says of itself; nil leaves it as it is. change gets what the host
// said last, nil when it said nothing yet, and is asked again when another run wrote meanwhile, so that neither run undoes
// what the other one found.
func (b *Bucket) ChangeStatus(ctx context.Context, change func(said []byte) ([]byte, error)) error {
	key := b.statusKey()
	for try := 1; ; try++ {
		said, tag, err := b.status(ctx, key)
		if err != nil {
			return err
		}
		text, err := change(said)
		if err != nil || text == nil {
			return err
		}
		if tag == "" || try == statusTries {
			return b.replace(ctx, key, text)
		}

		err = b.swap(ctx, key, tag, text)
		switch {
		case err == nil:
			return nil
		case exists(err), absent(err): // another run wrote meanwhile, or it was this one, whose answer was lost
		case unknown(err), status(err) == http.StatusBadRequest: // the server does not know If-Match
			return b.replace(ctx, key, text)
		default:
			return b.fail("write", key, err)
		}
	}
}

// status is what the host said of itself last, and the server's name for that; "" when it said nothing yet.
func (b *Bucket) status(ctx context.Context, key string) (said []byte, tag string, err error) {
	have, err := b.list(ctx, key)
	if err != nil {
		return nil, "", err
	}
	if o, there := have[key]; there && o.size <= maxStatus {
		said, err = b.small(ctx, key, o.size)
	}
	return said, have[key].tag, err
}

// swap makes text the object of that key, if the one that is there still has the tag.
func (b *Bucket) swap(ctx context.Context, key, tag string, text []byte) error {
	w := b.writer(ctx, key)
	w.over, w.match = true, &tag
	w.buffer, w.size = text, int64(len(text))
	_, err := w.finish()
	return err
}

func (b *Bucket) statusKey() string { return b.prefix + statusFolder + b.o.Host + ".json" }

// Statuses is what every host below the same prefix says of itself, by name: one listing, and a request for each. What
// cannot be read of one host is said there, and is no error of the others.
func (b *Bucket) Statuses(ctx context.Context) ([]HostStatus, error) {
	prefix := b.prefix + statusFolder
	have, err := b.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []HostStatus
	work, wctx := errgroup.WithContext(ctx)
	work.SetLimit(readsAtOnce)
	for _, key := range slices.Sorted(maps.Keys(have)) {
		host, named := strings.CutSuffix(strings.TrimPrefix(key, prefix), ".json")
		if !named || CheckHost(host) != nil {
			continue
		}
		work.Go(func() error {
			said := HostStatus{Host: host, At: have[key].modified}
			if have[key].size > maxStatus {
				said.Err = archive.Damagef(archive.DamageManifest, b.object(key), "it has %d bytes, which is too many for what it is", have[key].size)
			} else {
				said.Text, said.Err = b.small(wctx, key, have[key].size)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, said)
			return wctx.Err()
		})
	}

	err = work.Wait()
	slices.SortFunc(all, func(x, y HostStatus) int { return strings.Compare(x.Host, y.Host) })
	return all, err
}

// IDs are the backups of the host that are in the bucket now.
func (s *Session) IDs() map[string]bool {
	ids := map[string]bool{}
	for key := range s.have {
		if _, id, ok := splitKey(strings.TrimPrefix(key, s.b.home())); ok && path.Base(key) == archive.ManifestName {
			ids[id] = true
		}
	}
	return ids
}
