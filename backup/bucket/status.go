package bucket

import (
	"context"
	"maps"
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

// HostStatus is what a host says in short of its backups in the bucket.
type HostStatus struct {
	Host string
	At   time.Time // when it was written, by the server's clock
	Text []byte
	Err  error // why the text could not be read; nil when it could
}

// Status is what the host said of itself last; nil when it said nothing yet.
func (b *Bucket) Status(ctx context.Context) ([]byte, error) {
	key := b.statusKey()
	have, err := b.list(ctx, key)
	if err != nil {
		return nil, err
	}
	if o, said := have[key]; said && o.size <= maxStatus {
		return b.small(ctx, key, o.size)
	}
	return nil, nil
}

// SetStatus makes text what the host says of itself.
func (b *Bucket) SetStatus(ctx context.Context, text []byte) error {
	return b.replace(ctx, b.statusKey(), text)
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
