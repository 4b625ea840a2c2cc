package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/internal/crash"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// recipeLimit is how long a gateway may take to tell a recipe.
const recipeLimit = 10 * time.Second

// errNoAnswer is a gateway that took longer than that.
var errNoAnswer = errors.New("no answer")

// recipeRequest is a recipe that a gateway is being asked for while the home is read. A nil one asks nobody.
type recipeRequest struct {
	work    *run
	gateway string
	limit   time.Duration
	cancel  context.CancelFunc
	over    <-chan struct{} // nobody waits for the answer any more
	answer  chan recipeAnswer
	whole   []byte // what was told, once complete has run
}

type recipeAnswer struct {
	recipe archive.Told
	err    error
}

// ask begins to ask the sandbox's gateway. One that did not answer for another sandbox of the run is not asked again.
func (w *run) ask(ctx context.Context, sb sandbox.Sandbox) *recipeRequest {
	if w.Recipe == nil {
		return nil
	}
	a := &recipeRequest{work: w, gateway: sb.Gateway, limit: cmp.Or(w.RecipeLimit, recipeLimit), answer: make(chan recipeAnswer, 1)}
	ctx, a.cancel = text.Within(ctx, a.limit)
	a.over = ctx.Done()
	if err := w.unasked(sb); err != nil {
		a.answer <- recipeAnswer{err: err}
		return a
	}
	go func() {
		var got recipeAnswer
		defer func() {
			if p := recover(); p != nil {
				got.err = fmt.Errorf("internal error: %v (%s)", p, crash.Site(debug.Stack()))
			}
			a.answer <- got
		}()
		if got.recipe, got.err = w.Recipe(ctx, sb); got.err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			got.err = a.silence()
		}
	}()
	return a
}

// unasked is why a sandbox's gateway is not asked.
func (w *run) unasked(sb sandbox.Sandbox) error {
	if sb.Gateway == "" {
		return errors.New("it is not known which gateway made it")
	}
	w.reporting.Lock()
	defer w.reporting.Unlock()
	return w.silentGateways[sb.Gateway]
}

// end lets go of a question whose answer is not waited for any more.
func (a *recipeRequest) end() {
	if a != nil {
		a.cancel()
	}
}

// wait is the answer, or that there was none in time. One that came in time counts also when the time is up by now,
// because the home took longer to read.
func (a *recipeRequest) wait() (archive.Told, error) {
	select {
	case got := <-a.answer:
		return got.recipe, got.err
	default:
	}
	select {
	case got := <-a.answer:
		return got.recipe, got.err
	case <-a.over:
		return archive.Told{}, a.silence()
	}
}

func (a *recipeRequest) silence() error { return fmt.Errorf("%w within %v", errNoAnswer, a.limit) }

// complete adds what the gateway told to what the container showed, or says why that is not there.
func (a *recipeRequest) complete(m *archive.Manifest) {
	if a == nil {
		return
	}
	if m.Recipe == nil {
		m.Recipe = &archive.Origin{}
	}
	recipe, err := a.wait()
	if err != nil {
		m.Recipe.Untold = text.OneLine(err.Error(), 260)
		a.work.missing(a.gateway, err)
		return
	}

	a.whole = recipe.Whole
	m.Image.Reference = cmp.Or(recipe.Image, m.Image.Reference) // a container knows the id alone (docs/facts/openshell.md 5.1)
	addRecipe(recipe.Origin, m.Recipe)
}

// all is all that the gateway told, once complete has run.
func (a *recipeRequest) all() []byte {
	if a == nil {
		return nil
	}
	return a.whole
}

// addRecipe adds what a gateway told of a sandbox to what is shown of it.
func addRecipe(told archive.Origin, shown *archive.Origin) {
	shown.Providers, shown.Policy = told.Providers, told.Policy
	for _, name := range told.Env {
		if !slices.Contains(shown.Env, name) {
			shown.Env = append(shown.Env, name)
		}
	}

	labels := publicLabels(told.Labels)
	if labels != nil {
		maps.Copy(labels, shown.Labels) // what is on the container itself counts
		shown.Labels = labels
	}
}

// missing warns once for each gateway, and remembers those that could not be reached or did not answer.
func (w *run) missing(gateway string, why error) {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	if w.silentGateways == nil {
		w.silentGateways = map[string]error{}
	}
	before, said := w.silentGateways[gateway]
	if !said && gateway != "" {
		w.warnings = append(w.warnings, fmt.Sprintf(
			"gateway %q did not tell what its sandboxes were made from, so that their manifests may lack providers and policy: %v", gateway, why))
	}
	_, gone := errors.AsType[*openshell.ConnectError](why)
	if before == nil && (gone || errors.Is(why, errNoAnswer) || errors.Is(why, context.DeadlineExceeded)) {
		before = why
	}
	w.silentGateways[gateway] = before
}

// publicLabels leaves out labels that are named like a credential: a manifest holds no secrets.
func publicLabels(labels map[string]string) map[string]string {
	kept := maps.Clone(labels)
	maps.DeleteFunc(kept, func(name, _ string) bool {
		name = strings.ToLower(name)
		for _, word := range []string{"token", "secret", "password", "credential", "apikey", "api-key", "api_key"} {
			if strings.Contains(name, word) {
				return true
			}
		}
		return false
	})
	return kept
}
