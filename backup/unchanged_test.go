package backup

import (
	"testing"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/home"
)

// What was left out of the previous backup and is wanted now is not in it, and the other way round.
func TestOnlyABackupWithTheSamePathsLeftOutStands(t *testing.T) {
	skip, err := home.ParseSkip([]string{"cache"})
	if err != nil {
		t.Fatal(err)
	}
	without, whole := &archive.Manifest{SkipPaths: []string{"cache"}}, &archive.Manifest{}
	for _, c := range []struct {
		name     string
		skip     home.Skip
		previous *archive.Manifest
		same     bool
	}{
		{"both without", skip, without, true},
		{"both whole", home.Skip{}, whole, true},
		{"whole, after one without", home.Skip{}, without, false},
		{"without, after a whole one", skip, whole, false},
		{"after none", home.Skip{}, nil, false},
	} {
		if got := (&reading{skip: c.skip}).sameSkip(c.previous); got != c.same {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
