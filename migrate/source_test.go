package migrate

import (
	"archive/tar"
	"context"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/storetest"
)

// Promise: an import makes no sandbox for a backup that no restore would take, or that no key here opens.
func TestAnImportProvesItsBackupBeforeItMakesAnything(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	kept := storetest.NewStore(t, store.Options{})
	save := func(sandbox string, recipients []string, h tar.Header) Member {
		n := storetest.LeastBackup(sandbox)
		n.Recipients = recipients
		b, err := kept.Create(t.Context(), n, func(_ context.Context, a *archive.Archive) error {
			return a.AddUnjudged(&h, strings.NewReader("xxx"))
		})
		if err != nil {
			t.Fatal(err)
		}
		return Member{Name: sandbox, Backup: b.ID, Image: "sandbox:1"}
	}
	file := tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 3}
	good := save("good", nil, file)
	sealed := save("sealed", []string{key.Recipient().String()}, file)
	hostile := save("hostile", nil, tar.Header{Typeflag: tar.TypeSymlink, Name: ".", Linkname: "/root"})
	if _, err := (Source{Store: kept}).Prepare(t.Context(), good); err != nil {
		t.Error(err)
	}
	if _, err := (Source{Store: kept, Identities: archive.Identities{key}}).Prepare(t.Context(), sealed); err != nil {
		t.Error(err)
	}
	if _, err := (Source{Store: kept}).Prepare(t.Context(), sealed); !errors.Is(err, archive.ErrNoIdentity) {
		t.Errorf("no key opens it: %v", err)
	}
	_, err = (Source{Store: kept}).Prepare(t.Context(), hostile)
	if damage, is := errors.AsType[*archive.DamageError](err); !is || damage.Object != `entry "."` {
		t.Errorf("a home that is a link: %v", err)
	}
}
