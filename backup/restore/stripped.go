package restore

import (
	"archive/tar"
	"io"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
	"sandkeeper/backup/store"
)

// stripped are the files of a backup whose credentials were replaced (by version 1, or by "backups export --scrub").
// Where the target has such a file, its own is worth more and stays.
type stripped struct {
	of         map[string]string   // name of the file; another name of it (a hard link) leads to the first one
	exclusions []archive.Exclusion // one for each of the names, byte for byte
	others     []archive.Exclusion // what else the backup does not hold
	live, left map[string]bool     // those that the target has; those that stay as they are in it
}

func strippedOf(m *archive.Manifest) (s stripped, err error) {
	s = stripped{of: map[string]string{}, live: map[string]bool{}, left: map[string]bool{}}
	reasons := map[string]string{}
	for _, x := range m.Exclusions {
		if x.Kind == archive.LeftOutRedacted {
			reasons[x.Path] = x.Reason
		} else {
			s.others = append(s.others, x)
		}
	}

	if len(reasons) == 0 {
		return s, nil
	}
	for e := range m.Index.All(&err) {
		reason, listed := reasons[archive.Printable(e.Name())]
		switch {
		case listed:
			s.add(e.Name(), e.Name(), reason)
		case e.Type == archive.TypeWord(tar.TypeLink) && s.has(e.Link):
			s.add(e.Name(), e.Link, "another name of "+archive.Printable(e.Link))
		}
	}

	return s, err
}

func (s *stripped) add(name, first, reason string) {
	s.of[name] = first
	s.exclusions = append(s.exclusions, archive.Exclusion{Path: name, Kind: archive.LeftOutRedacted, Reason: reason})
}

func (s *stripped) has(name string) bool { _, is := s.of[name]; return is }

// notice takes in a name in the target's home.
func (j *restoreJob) notice(name string) {
	switch {
	case j.stripped.has(name):
		j.stripped.live[name] = true
	case j.manifest.Snapshot() && store.DroppedBySnapshot(name):
		j.stripped.others = append(j.stripped.others, *archive.LeftOut(name, archive.LeftOutCredential, "NemoClaw takes it out of every snapshot"))
	}
}

// leave decides, once the home was looked at, which of the files stay. A hard link to one of those cannot be made of
// the backup either.
func (s *stripped) leave() {
	for name, first := range s.of {
		s.left[name] = s.live[name] || s.live[first]
	}
}

// noticing is a sink that takes in the names of a home on their way into a backup.
type noticing struct {
	home.Sink
	j *restoreJob
}

// Add takes in the name of an entry.
func (n noticing) Add(h *tar.Header, r io.Reader) error {
	n.j.notice(h.Name)
	return n.Sink.Add(h, r)
}
