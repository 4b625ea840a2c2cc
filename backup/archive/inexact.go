package archive

import "archive/tar"

// Inexact is one kind of what the archive does not hold exactly as the home has it, because the way by which the home
// was read does not carry it.
type Inexact struct {
	Kind string `json:"kind"` // InexactTimes, …
	// Entries is how many entries of the archive are of the kind; nil where the way does not even show them.
	Entries *int `json:"entries"`
}

// Kinds of what only the direct way carries.
const (
	InexactTimes      = "times" // came in whole seconds
	InexactAttributes = "attributes"
	InexactHoles      = "holes" // are stored as zeros
	InexactSockets    = "sockets"
	InexactLongPaths  = "long-paths"
)

// Kinds of what only a restore on the direct way writes as the backup has it. InexactHoles is another one.
const (
	InexactEarlyTimes = "times-before-1970" // became 1970-01-01 (moby pkg/system/chtimes.go; Podman's storage has the same)
	InexactTwins      = "linked-symlinks"   // one symbolic link with two names became two
)

// unseen are the kinds of which nobody knows how many there are, for neither an engine nor a tar in a sandbox shows
// them: Docker's archive has no attribute but security.capability, leaves sockets out without a word, and reads holes
// as zeros.
var unseen = [...]string{InexactAttributes, InexactHoles, InexactSockets, InexactLongPaths}

// inexactBy is what a read on a way could not carry; wholeSeconds is how many of its entries came without a fraction of
// a second.
func inexactBy(w Way, wholeSeconds int) []Inexact {
	if w != WayEngine && w != WayGateway {
		return nil
	}
	inexact := []Inexact{{Kind: InexactTimes, Entries: &wholeSeconds}}
	for _, kind := range unseen {
		inexact = append(inexact, Inexact{Kind: kind})
	}
	return inexact
}

// TakenBy puts into m by which way the home was read, why not by the direct one, and what that way did not carry.
func (a *Archive) TakenBy(m *Manifest, w Way, reason string) {
	m.Way, m.WayReason, m.Inexact = w, reason, inexactBy(w, a.wholeSeconds)
}

// weigh counts an entry whose time came in whole seconds.
func (a *Archive) weigh(h *tar.Header) {
	if h.ModTime.Nanosecond() == 0 {
		a.wholeSeconds++
	}
}
