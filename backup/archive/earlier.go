package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"time"
)

// Seen is what the file system says of a file that is read: while it says the same, nothing was written to the file,
// for no program can set the time of a change.
type Seen struct {
	Inode   uint64
	Changed int64 // ctime in nanoseconds since 1970
}

// Looked says of what and when the Seen of a backup's files were taken. They say something under the conditions of a
// LayerFingerprint, each for its own file, and only of files that were last changed before Settled.
type Looked struct {
	Container string    `json:"container"` // full id
	Image     string    `json:"image"`     // id
	Home      string    `json:"home"`
	Settled   time.Time `json:"settled"`
}

// Witness is what an index keeps of a file for the next backup: what was seen of it, and which blocks of the backup's
// stream are its content.
type Witness struct {
	Seen
	From, Count uint32
}

// MarshalJSON writes a witness as [inode, changed, from, count].
func (w Witness) MarshalJSON() ([]byte, error) {
	text := append(make([]byte, 0, 64), '[')
	text = append(strconv.AppendUint(text, w.Inode, 10), ',')
	text = append(strconv.AppendInt(text, w.Changed, 10), ',')
	text = append(strconv.AppendUint(text, uint64(w.From), 10), ',')
	return append(strconv.AppendUint(text, uint64(w.Count), 10), ']'), nil
}

// UnmarshalJSON reads [inode, changed, from, count].
func (w *Witness) UnmarshalJSON(text []byte) error {
	parts := []any{&w.Inode, &w.Changed, &w.From, &w.Count}
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) != 4 {
		return fmt.Errorf("%s is no witness", text)
	}
	return nil
}

// Witnessed is the content of a file with what was seen of it. With Kept nothing is read: an earlier backup has it.
type Witnessed struct {
	io.Reader
	Seen Seen
	Kept *Kept
}

// Kept is the content of a file in an earlier backup.
type Kept struct {
	digest string
	runs   []Run
}

// Earlier finds the files in the previous backup of a home that were not written to since. It is asked in the order of
// a walk, a folder's entries in the order of their names; of what comes out of order it knows nothing.
type Earlier struct {
	entries *Entries
	next    Entry
	more    bool
	runs    []Run
	ends    []uint32 // the number in the stream of the block behind each run
	known   *Blocks
	settled int64
}

// Earlier is what the previous backup knows of the files of this home; nil when that is nothing. What it finds is
// proven like all blocks that a new backup shares.
func (a *Archive) Earlier(of LayerFingerprint) *Earlier {
	m := a.Previous
	if m == nil || m.Looked == nil || m.Index == nil || a.key != nil || a.pack.whole {
		return nil
	}
	if m.Looked.Container != of.Container || m.Looked.Image != of.Image || m.Looked.Home != of.Home {
		return nil
	}
	entries, err := m.Index.Each()
	if err != nil {
		return nil // then every file is read
	}
	e := &Earlier{entries: entries, runs: m.Index.Runs, known: a.pack.known, settled: m.Looked.Settled.UnixNano(), more: true}
	end := uint32(0)
	for _, r := range e.runs {
		end += r.Count
		e.ends = append(e.ends, end)
	}
	e.step()
	return e
}

// step goes to the next entry. Where the index breaks off nothing more is known, and files are read.
func (e *Earlier) step() {
	var err error
	if e.next, err = e.entries.Next(); err != nil {
		e.more = false
	}
}

// Of is the content of the file of that name, if it is that of the previous backup; else nil.
func (e *Earlier) Of(name string, size int64, seen Seen) *Kept {
	if e == nil || size == 0 {
		return nil
	}
	for e.more && inOrder(e.next.Name(), name) {
		e.step()
	}
	w := e.next.Witness
	if !e.more || e.next.Name() != name || e.next.Size != size || w == nil || w.Seen != seen || seen.Changed >= e.settled {
		return nil
	}
	runs, err := e.blocks(*w, size)
	if err != nil {
		return nil
	}
	return &Kept{digest: e.next.Digest, runs: runs}
}

// inOrder reports whether a comes before b in a walk.
func inOrder(a, b string) bool {
	if a == "." || b == "." {
		return a == "." && b != "."
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return b[i] != '/' && (a[i] == '/' || a[i] < b[i])
		}
	}
	return len(a) < len(b)
}

var errOtherBlocks = errors.New("its blocks are not what the index says")

// blocks are where the blocks of a file are, all of which have to be there and to have its size together.
func (e *Earlier) blocks(w Witness, size int64) ([]Run, error) {
	var found []Run
	from, left := w.From, w.Count
	for at := sort.Search(len(e.ends), func(i int) bool { return e.ends[i] > from }); left > 0; at++ {
		if at >= len(e.runs) {
			return nil, errOtherBlocks
		}
		r := e.runs[at]
		skip := from - (e.ends[at] - r.Count)
		part := Run{Pack: r.Pack, From: r.From + skip, Count: min(left, r.Count-skip)}
		for _, b := range e.known.of(part) {
			size -= int64(b.Length)
		}
		found = append(found, part)
		from, left = from+part.Count, left-part.Count
	}

	if size != 0 {
		return nil, errOtherBlocks
	}
	return found, nil
}

// keep takes a file's content from an earlier backup.
func (a *Archive) keep(size int64, k *Kept) (digest string, err error) {
	a.cut.idle = true // the writer of the tar wants to see as many bytes as it was promised
	for left := size; left > 0 && err == nil; left -= int64(len(a.buffer)) {
		_, err = a.tar.Write(a.buffer[:min(left, int64(len(a.buffer)))])
	}
	a.cut.idle, a.cut.head, a.cut.file = false, false, nil
	for _, r := range k.runs {
		a.pack.share(r.Pack, a.pack.known.of(r))
	}
	return k.digest, err
}
