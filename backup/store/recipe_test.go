package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"sandkeeper/backup/archive"
)

const toldText = `{"schema":1,"values":"s3cret-value"}`

func createTold(t *testing.T, s *Store, n NewBackup) Backup {
	t.Helper()
	n.Told = func() []byte { return []byte(toldText) }
	return create(t, s, n, sampleHome()...)
}

func TestRecipeIsAsSafeAsTheArchive(t *testing.T) {
	s := testStore(t, Options{})
	b := createTold(t, s, newOf("alpha"))
	if got, err := s.Recipe(b, nil); err != nil || string(got) != toldText {
		t.Errorf("%q, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(b.Dir, archive.RecipeName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: it is not the owner's alone", info, err)
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	n := newOf("beta")
	n.Recipients = []string{key.Recipient().String()}
	sealed := createTold(t, s, n)
	raw, err := os.ReadFile(filepath.Join(sealed.Dir, archive.EncryptedRecipeName))
	if err != nil || bytes.Contains(raw, []byte("s3cret-value")) {
		t.Errorf("%v: a recipe beside an encrypted archive is plain", err)
	}
	if _, err := s.Recipe(sealed, nil); !errors.Is(err, archive.ErrNoIdentity) {
		t.Errorf("without a key: %v", err)
	}
	if got, err := s.Recipe(sealed, archive.Identities{key}); err != nil || string(got) != toldText {
		t.Errorf("with the key: %q, %v", got, err)
	}
}

func TestDamagedRecipeIsFoundAndNeverGiven(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"changed": func(t *testing.T, path string) {
			t.Helper()
			must(t, os.WriteFile(path, []byte(strings.Replace(toldText, "s3cret", "public", 1)), 0o600))
		},
		"gone": func(t *testing.T, path string) { t.Helper(); must(t, os.Remove(path)) },
		"link": func(t *testing.T, path string) {
			t.Helper()
			must(t, os.Rename(path, path+".aside"))
			must(t, os.Symlink(path+".aside", path))
		},
	} {
		s := testStore(t, Options{})
		b := createTold(t, s, newOf("alpha"))
		harm(t, filepath.Join(b.Dir, archive.RecipeName))
		for what, err := range map[string]error{
			"verify": s.Verify(t.Context(), b, false), "recipe": second(s.Recipe(b, nil)), "export": s.Export(t.Context(), b, &bytes.Buffer{}, ExportOptions{Scratch: t.TempDir()}),
		} {
			if damage, ok := errors.AsType[*archive.DamageError](err); !ok || damage.Kind != archive.DamageRecipe {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func second[A any](_ A, err error) error { return err }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecipeTravelsWithItsBackup(t *testing.T) {
	from, to := testStore(t, Options{}), testStore(t, Options{})
	b := createTold(t, from, newOf("alpha"))
	text := exported(t, from, b)
	got, err := to.Import(t.Context(), bytes.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if recipe, err := to.Recipe(got, nil); err != nil || string(recipe) != toldText {
		t.Errorf("%q, %v", recipe, err)
	}
	changed := bytes.Replace(text, []byte("s3cret-value"), []byte("s3cret-valuf"), 1)
	if _, err := testStore(t, Options{}).Import(t.Context(), bytes.NewReader(changed), nil); err == nil {
		t.Error("a changed recipe was imported")
	}
}

// A scrubbed copy holds the recipe that the caller has taken the values out of, or none.
func TestScrubbedCopyHasNoValues(t *testing.T) {
	s := testStore(t, Options{})
	b := createTold(t, s, newOf("alpha"))
	withhold := func(text []byte) ([]byte, error) {
		return bytes.ReplaceAll(text, []byte("s3cret-value"), []byte("-")), nil
	}
	for name, c := range map[string]struct {
		with func([]byte) ([]byte, error)
		want string
	}{"taken out": {withhold, `{"schema":1,"values":"-"}`}, "none": {nil, ""}} {
		file := filepath.Join(t.TempDir(), "alpha.tar")
		_, err := s.ExportScrubbed(t.Context(), b, file, ScrubOptions{Withhold: c.with})
		must(t, err)
		text, err := os.ReadFile(file)
		must(t, err)
		to := testStore(t, Options{})
		got, err := to.Import(t.Context(), bytes.NewReader(text), nil)
		must(t, err)
		recipe, err := to.Recipe(got, nil)
		if string(recipe) != c.want || (c.want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", name, recipe, err)
		}
	}
}

// What a manifest says is said once in a copy of it: a member that is taken for an unknown one comes back beside its new value.
func TestCopiesSayNothingTwice(t *testing.T) {
	s := testStore(t, Options{})
	n := newOf("alpha")
	n.Manifest.Workspace = "team"
	b := createTold(t, s, n)
	file := filepath.Join(t.TempDir(), "alpha.tar")
	_, err := s.ExportScrubbed(t.Context(), b, file, ScrubOptions{})
	must(t, err)
	text, err := os.ReadFile(file)
	must(t, err)
	if n := bytes.Count(text, []byte(`"workspace":`)); n != 1 {
		t.Errorf("the workspace is said %d times", n)
	}
}
