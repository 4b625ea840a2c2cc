package restore

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"sandkeeper/backup/home"
	"sandkeeper/engine"
)

// knowing is a container of which the kinds of some paths are known; the others are not there.
type knowing struct {
	home.EngineReach
	kinds map[string]engine.FileFact
}

func (k knowing) Stat(_ context.Context, _, name string) (engine.FileFact, error) {
	fact, found := k.kinds[name]
	if !found {
		return fact, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return fact, nil
}

// A write would follow a link above what is restored, and break off at a file; a folder that is missing is made.
func TestWhatLiesAboveARoot(t *testing.T) {
	for name, tc := range map[string]struct {
		at   engine.FileFact
		says string
	}{
		"folder": {engine.FileFact{Mode: fs.ModeDir | 0o755}, ""},
		"link":   {engine.FileFact{Mode: fs.ModeSymlink | 0o777, Link: "/etc"}, `is a symbolic link to "/etc", which is not followed`},
		"file":   {engine.FileFact{Mode: 0o644}, "is not a folder"},
	} {
		p := &containerPlace{ContainerHome: home.ContainerHome{Engine: knowing{kinds: map[string]engine.FileFact{"/sandbox/a": tc.at}}, Dir: "/sandbox"}}
		pick := &selection{roots: []string{"a/b/c"}}
		err := p.parents(t.Context(), pick)
		if tc.says == "" && (err != nil || !pick.above["a/b"] || pick.above["a"]) || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: %v, made %v", name, err, pick.above)
		}
	}
}
