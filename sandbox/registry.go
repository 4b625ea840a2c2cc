package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
)

// registryLimit is NemoClaw's own limit for one sandboxes.json (src/lib/state/gateway-registry.ts).
const registryLimit = 16 << 20

// tornPause is how long we wait before a registry that does not parse is read a second time: somebody may be writing it
// in place.
const tornPause = 50 * time.Millisecond

// Registry is what NemoClaw's sandboxes.json files say: the root one and one for each gateway port. It is only ever
// read.
type Registry struct {
	Present      bool     // at least one file is there
	Files        []string // the files read, in the order read
	Rows         []Row    // sorted by file, then name; one for each (gateway, name)
	Elsewhere    []Row    // rows that a Binding left out: they still claim their containers
	Reservations int      // route-only reservations: no sandbox was ever created for them
	Problems     []string // rows that are not as they should be, by name and file; never dropped in silence
}

// Recorded reports whether r records any sandbox at all, wherever it is bound, or holds rows that could not be read as
// one.
func (r Registry) Recorded() bool { return len(r.Rows)+len(r.Elsewhere)+len(r.Problems) > 0 }

// RegistryError says that a registry file is there and cannot be trusted ("registry_invalid"). It never means "no
// sandboxes".
type RegistryError struct {
	Path string
	Err  error
}

// Error names the file and what is wrong with it.
func (e *RegistryError) Error() string { return fmt.Sprintf("registry %q: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *RegistryError) Unwrap() error { return e.Err }

// Hint is the next command for a person: with the file out of the way, gateway lists and containers are the inventory.
func (e *RegistryError) Hint() string {
	path := text.ShellWord(e.Path)
	if info, err := os.Lstat(e.Path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Sprintf("put what it leads to in the place of the link %s, inside the home, and rerun; NemoClaw follows no links there either", path)
	}
	aside := fmt.Sprintf("set it aside with: mv %s %s, and rerun: gateways and containers are then the inventory", path, text.ShellWord(e.Path+".invalid"))
	if errors.Is(e.Err, homefile.ErrTooLarge) {
		return "nothing says that the file is damaged: it is only larger than what NemoClaw reads as well; see what fills it, or " + aside
	}
	return "repair the file, or " + aside
}

// ReadRegistry reads ~/.nemoclaw/sandboxes.json and ~/.nemoclaw/gateways/<port>/sandboxes.json below e's home, without
// a lock. With only, rows of other gateways go to Elsewhere. A file that is there and is not a registry is a
// *RegistryError.
func ReadRegistry(e env.Env, only *Binding) (Registry, error) {
	home := e.Home()
	if home == "" {
		return Registry{Problems: []string{"HOME is not set to an absolute path: no NemoClaw registry was looked for"}}, nil
	}
	places, err := registryPlaces(home)
	if err != nil {
		return Registry{}, err
	}
	var r Registry
	for _, place := range places {
		found, err := readPlace(home, place, func() { time.Sleep(tornPause) })
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since it was seen
		}
		if err != nil {
			return Registry{}, &RegistryError{Path: place.path, Err: err}
		}
		r.add(place, found)
	}

	slices.SortStableFunc(r.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Name, b.Name))
	})
	r.dropTwins()
	r.restrict(only)
	return r, nil
}

// readPlace reads one file; what does not parse is read once more after a pause, because a writer may have been at
// work.
func readPlace(home string, p place, pause func()) (document, error) {
	found, err := readOnce(home, p)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !errors.Is(err, errNotRegistry) {
		return found, err
	}
	pause()
	return readOnce(home, p)
}

func readOnce(home string, p place) (document, error) {
	content, err := homefile.Read(home, p.path, registryLimit)
	if err != nil {
		return document{}, err
	}
	return parseDocument(content)
}

func (r *Registry) add(p place, found document) {
	r.Present = true
	r.Files = append(r.Files, p.path)
	r.Reservations += found.reservations
	for _, problem := range found.problems {
		r.Problems = append(r.Problems, fmt.Sprintf("%s in %s", problem, p.path))
	}
	for _, row := range found.rows {
		row.File = p.path
		bind(&row, p.port)
		r.Rows = append(r.Rows, row)
	}
}

// dropTwins keeps one row for each (gateway, name). Older installs recorded the sandboxes of every gateway in the root
// file, so a sandbox can be recorded twice; the gateway's own file is the newer habit and wins.
func (r *Registry) dropTwins() {
	best := map[Key]int{}
	var kept []Row
	for _, row := range r.Rows {
		key := Key{row.Gateway, DefaultWorkspace, row.Name}
		at, twin := best[key]
		if row.BindingErr != nil || !twin {
			if row.BindingErr == nil {
				best[key] = len(kept)
			}
			kept = append(kept, row)
			continue
		}

		winner, loser := kept[at], row
		if ownFile(row) {
			winner, loser = row, kept[at]
		}
		kept[at] = winner
		r.Problems = append(r.Problems, fmt.Sprintf(
			"row %q for gateway %q is recorded twice: the one in %s counts, the one in %s does not", row.Name, row.Gateway, winner.File, loser.File))
	}

	r.Rows = kept
}

func ownFile(row Row) bool {
	return filepath.Base(filepath.Dir(row.File)) == fmt.Sprint(row.GatewayPort)
}

func (r *Registry) restrict(only *Binding) {
	if only == nil {
		return
	}
	var kept []Row
	for _, row := range r.Rows {
		switch {
		case only.has(row):
			kept = append(kept, row)
		case row.BindingErr != nil:
			r.Problems = append(r.Problems, fmt.Sprintf("row %q in %s is left out: %v", row.Name, row.File, row.BindingErr))
			fallthrough
		default:
			r.Elsewhere = append(r.Elsewhere, row)
		}
	}

	r.Rows = kept
}
