package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sandkeeper/backup/bucket"
	"sandkeeper/backup/store"
	"sandkeeper/backup/watch"
	"sandkeeper/internal/buckettest"
	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// fleetOf leaves in a bucket what so many hosts of ten sandboxes say, and gives one host's place in it.
func fleetOf(b *testing.B, hosts int) *bucket.Bucket {
	b.Helper()
	buckettest.Start(b).Bucket(b, "backups", false)
	at := time.Now().UTC().Truncate(time.Second)
	var work errgroup.Group
	work.SetLimit(16)
	for n := range hosts {
		work.Go(func() error {
			status := watch.HostStatus{Schema: 1, Host: fmt.Sprintf("host%04d", n), Tool: "bench", At: at}
			for i := range 10 {
				newest := &watch.Backup{
					ID: at.Format("20060102T150405Z") + "-1f3a", Started: at.Add(-time.Duration(n) * time.Minute), Bytes: 1 << 20, Files: 1000, Consistency: "paused",
					Verified: &store.Verified{At: at, ReadData: true}, Drilled: &store.Drilled{At: at, TookMs: 1000},
				}
				row := watch.Row{Sandbox: fmt.Sprintf("agent%d", i), Workspace: "default", Gateway: "nemoclaw", State: watch.OK, Newest: newest, Verified: newest, Drilled: newest, Backups: 30}
				for day := range 9 {
					row.Growth = append(row.Growth, watch.Point{At: at.AddDate(0, 0, day-9), Bytes: int64(day) << 20})
				}
				status.Sandboxes = append(status.Sandboxes, row)
			}
			to, err := bucket.Open("s3://backups/fleet", bucket.Options{Host: status.Host})
			if err != nil {
				return err
			}
			text, err := json.Marshal(status)
			if err != nil {
				return err
			}
			return to.ChangeStatus(b.Context(), func([]byte) ([]byte, error) { return text, nil })
		})
	}
	if err := work.Wait(); err != nil {
		b.Fatal(err)
	}
	from, err := bucket.Open("s3://backups/fleet", bucket.Options{Host: "fleet"})
	if err != nil {
		b.Fatal(err)
	}
	return from
}

// BenchmarkFleetStatus: one listing and a request for each host, so ten times the hosts take ten times as long.
func BenchmarkFleetStatus(b *testing.B) {
	for _, hosts := range []int{100, 1000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			from := fleetOf(b, hosts)
			term := &terminal{Streams: &ui.Streams{Out: io.Discard, Err: io.Discard, Env: env.Parse(nil)}}
			for b.Loop() {
				told, err := from.Statuses(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				said, unread := readStatuses(told)
				report := watch.Fleet(from.Fleet(), said, watch.Question{MaxAge: 26 * time.Hour, Now: time.Now()})
				if renderFleet(term, report); unread != nil || report.Totals.OK != hosts*10 {
					b.Fatalf("%d of %d are ok: %v", report.Totals.OK, hosts*10, unread)
				}
			}
		})
	}
}
