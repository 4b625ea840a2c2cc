package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
)

// growthSpan is the time for which totals say how much was added.
const growthSpan = 7 * 24 * time.Hour

// Kept is what a number of backups take on the disk. Content that several backups of one sandbox share is stored once,
// and counted once: for the oldest one, which brought it.
type Kept struct {
	Backups  int   `json:"backups"`
	Bytes    int64 `json:"bytes"`    // of the archives, and of the files beside them
	LastWeek int64 `json:"lastWeek"` // what of it the last seven days have added
	Retired  int64 `json:"retired"`  // beside it, what is kept of removed backups because these share it

	points []Point
	added  []Point
}

// Point is how many bytes were kept at a time.
type Point struct {
	At    time.Time `json:"at"`
	Bytes int64     `json:"bytes"`
}

// RetiredText says, behind what a number of backups take, what is kept of removed ones as well; "" for nothing.
func RetiredText(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("; %s of removed backups are kept as well, for these share it", size.Text(bytes))
}

// Growth is how what is kept of one sandbox grew, the oldest point first.
func Growth(group []store.Backup) []Point {
	return summed(added(group))
}

func (k *Kept) add(group []store.Backup) {
	k.Backups += len(group)
	k.added = append(k.added, added(group)...)
}

func (k *Kept) settle(now time.Time) {
	for _, p := range k.added {
		k.Bytes += p.Bytes
		if now.Sub(p.At) < growthSpan {
			k.LastWeek += p.Bytes
		}
	}
	k.points = summed(k.added)
}

// added is what each whole backup of one sandbox brought that no older one had, the oldest first. What a damaged one
// takes is not known.
func added(group []store.Backup) []Point {
	byAge := slices.SortedFunc(slices.Values(group), func(a, b store.Backup) int { return strings.Compare(a.ID, b.ID) })
	seen := map[string]bool{}
	points := []Point{}
	for _, b := range byAge {
		if !b.Whole() {
			continue
		}
		p := Point{At: b.Manifest.Started, Bytes: b.Beside()}
		if content := b.Manifest.Archive.SHA256; !seen[content] {
			seen[content] = true
			p.Bytes += b.Manifest.Archive.Bytes
		}
		points = append(points, p)
	}

	return points
}

func summed(added []Point) []Point {
	points := slices.SortedStableFunc(slices.Values(added), func(a, b Point) int { return a.At.Compare(b.At) })
	total := int64(0)
	for i := range points {
		total += points[i].Bytes
		points[i].Bytes = total
	}
	if points == nil {
		return []Point{}
	}
	return points
}
