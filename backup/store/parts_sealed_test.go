package store

import (
	"slices"
	"strings"
	"testing"
)

// An encrypted pack and its note have the same words in the backup that brought them and in those that share them: by
// these they are sent to a bucket once.
func TestAnEncryptedPackHasOneWord(t *testing.T) {
	h := newSealedHistory(t, 1)
	h.files = map[string]item{"big": fileItem("big", bulk(1, 3))}
	h.save()
	h.files["more"] = fileItem("more", "x")
	h.save()
	words := func(b Backup, of string) (found []string) {
		parts, err := h.store.Parts(b)
		if err != nil {
			t.Fatal(err)
		}
		defer parts.Close()
		for _, part := range parts.Files {
			if strings.HasPrefix(part.Pack, of) {
				found = append(found, part.Pack)
			}
		}
		return found
	}
	first, second := h.list()[1], h.list()[0]
	brought, shared := words(first, first.ID), words(second, first.ID)
	if len(brought) != 2 || !slices.Equal(brought, shared) {
		t.Errorf("brought as %q, shared as %q", brought, shared)
	}
}
