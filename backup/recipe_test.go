package backup

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/backuptest"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// manifests backs up sandboxes of the gateways named and returns the recipes in their manifests.
func manifests(t *testing.T, ask func(context.Context, sandbox.Sandbox) (archive.Told, error), gateways ...string) ([]archive.Origin, Summary) {
	t.Helper()
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	r.Recipe, r.RecipeLimit, r.Jobs = ask, 500*time.Millisecond, 1
	var all []sandbox.Sandbox
	for i, gateway := range gateways {
		sb := f.Add(strings.Repeat(string(rune('a'+i)), 64), "exited")
		sb.Gateway = gateway
		all = append(all, sb)
	}
	summary, err := r.All(t.Context(), backuptest.InventoryOf(all...))
	if err != nil || summary.Totals.BackedUp != len(gateways) {
		t.Fatalf("%+v, %v", summary, err)
	}
	var recipes []archive.Origin
	for _, sb := range all {
		b, err := r.Store.Find(sb.Name, store.Latest)
		if err != nil {
			t.Fatal(err)
		}
		recipes = append(recipes, *b.Manifest.Recipe)
	}
	return recipes, summary
}

func TestRecipeIsCompletedByItsGateway(t *testing.T) {
	got, summary := manifests(t, func(context.Context, sandbox.Sandbox) (archive.Told, error) {
		return archive.Told{Origin: archive.Origin{
			Labels: map[string]string{"team": "red", "a": "of the metadata", "api-token": "s3cret"}, Env: []string{"TOKEN", "MODE"},
			Providers: []string{"github"}, Policy: []byte(`{"protobuf":"CgA="}`),
		}}, nil
	}, "gw")
	want := []archive.Origin{{
		Labels: map[string]string{"team": "red", "a": "b"}, Env: []string{"TOKEN", "MODE"}, Providers: []string{"github"},
		Policy: []byte(`{"protobuf":"CgA="}`),
	}}
	if diff := cmp.Diff(want, got); diff != "" || len(summary.Warnings) != 0 {
		t.Errorf("%v (-want +got):\n%s", summary.Warnings, diff)
	}
}

// TestGatewayThatDoesNotTell costs the manifest its part and nothing else; it is said once for each gateway, and a gateway that cannot
// be reached, or is silent, is asked once.
func TestGatewayThatDoesNotTell(t *testing.T) {
	for name, c := range map[string]struct {
		ask   func(context.Context) (archive.Told, error)
		says  string
		asked int32
	}{
		"refuses": {func(context.Context) (archive.Told, error) {
			return archive.Told{}, errors.New("permission denied")
		}, "permission denied", 3},
		"is down": {func(context.Context) (archive.Told, error) {
			return archive.Told{}, &openshell.ConnectError{Kind: openshell.Unreachable, Gateway: "gw"}
		}, `gateway "gw"`, 1},
		"is silent": {func(ctx context.Context) (archive.Told, error) {
			<-ctx.Done()
			time.Sleep(20 * time.Millisecond)
			return archive.Told{}, ctx.Err()
		}, "no answer within 500ms", 1},
		"never comes": {func(context.Context) (archive.Told, error) {
			time.Sleep(10 * time.Second)
			return archive.Told{}, nil
		}, "no answer within 500ms", 1},
		"panics": {func(context.Context) (archive.Told, error) { panic("at the disco") }, "internal error: at the disco (recipe_test.go:", 3},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			got, summary := manifests(t, func(ctx context.Context, sb sandbox.Sandbox) (archive.Told, error) {
				if sb.Gateway == "other" {
					return archive.Told{Origin: archive.Origin{Providers: []string{"p"}}}, nil
				}
				asked.Add(1)
				return c.ask(ctx)
			}, "gw", "gw", "other", "gw")
			for i, r := range got {
				if tells := i == 2; tells != slices.Equal(r.Providers, []string{"p"}) || tells != (r.Untold == "") || !tells && !strings.Contains(r.Untold, c.says) {
					t.Errorf("recipe %d is %+v", i, r)
				}
				if !slices.Contains(r.Env, "TOKEN") {
					t.Errorf("recipe %d lacks what the container shows: %+v", i, r)
				}
			}
			if len(summary.Warnings) != 1 || !strings.Contains(summary.Warnings[0], `gateway "gw" did not tell`) || !strings.Contains(summary.Warnings[0], c.says) {
				t.Errorf("warnings %q", summary.Warnings)
			}
			if asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), c.asked)
			}
		})
	}
}

// An answer that came in time counts, however long the home took to read after that.
func TestAnswerOutlivesItsLimit(t *testing.T) {
	for range 20 {
		over, cancel := context.WithTimeout(t.Context(), 0)
		a := &recipeRequest{answer: make(chan recipeAnswer, 1), over: over.Done(), limit: time.Second, cancel: cancel}
		a.answer <- recipeAnswer{recipe: archive.Told{Origin: archive.Origin{Providers: []string{"p"}}}}
		if got, err := a.wait(); err != nil || !slices.Equal(got.Providers, []string{"p"}) {
			t.Fatalf("%+v, %v", got, err)
		}
		if _, err := a.wait(); !errors.Is(err, errNoAnswer) {
			t.Fatalf("without an answer: %v", err)
		}
		a.end()
	}
}

func TestSandboxWithoutGatewayIsNotAskedAbout(t *testing.T) {
	got, summary := manifests(t, func(context.Context, sandbox.Sandbox) (archive.Told, error) {
		return archive.Told{}, errors.New("asked")
	}, "")
	if got[0].Untold != "it is not known which gateway made it" || len(summary.Warnings) != 0 {
		t.Errorf("%+v, warnings %q", got[0], summary.Warnings)
	}
}

// TestNobodyIsAsked is --offline: what the container shows is the recipe, and nothing is missing from it that could have been had.
func TestNobodyIsAsked(t *testing.T) {
	got, summary := manifests(t, nil, "gw")
	want := []archive.Origin{{Labels: map[string]string{"a": "b"}, Env: []string{"TOKEN"}}}
	if diff := cmp.Diff(want, got); diff != "" || len(summary.Warnings) != 0 {
		t.Errorf("%v (-want +got):\n%s", summary.Warnings, diff)
	}
}

// TestTheWholeRecipeLiesBesideTheManifest, also where the home is not read again; where the gateway does not tell, there is none.
func TestTheWholeRecipeLiesBesideTheManifest(t *testing.T) {
	f := backuptest.NewFakeEngine()
	r := fakeRun(t, f)
	sb := f.Add(strings.Repeat("a", 64), "exited")
	sb.Gateway = "gw"
	for i, told := range []string{"first", "second", ""} {
		r.Recipe = func(context.Context, sandbox.Sandbox) (archive.Told, error) {
			return archive.Told{Whole: []byte(told)}, nil
		}
		if _, err := r.All(t.Context(), backuptest.InventoryOf(sb)); err != nil {
			t.Fatal(err)
		}
		b, err := r.Store.Find(sb.Name, store.Latest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Store.Recipe(b, nil)
		if string(got) != told || (told == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("backup %d: %q, %v", i, got, err)
		}
		if b, err = r.Store.NewestRecipe(b.Series()); err != nil || (i < 2) != (b.ID != "" && string(mustRecipe(t, r.Store, b)) == told) {
			t.Errorf("backup %d: the newest recipe is that of %q, %v", i, b.ID, err)
		}
	}
}

func mustRecipe(t *testing.T, s *store.Store, b store.Backup) []byte {
	t.Helper()
	got, err := s.Recipe(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
