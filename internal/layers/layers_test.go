package layers

import (
	"slices"
	"strings"
	"testing"
)

// TestTree holds the whole tree to the layer table and to the rules on globals.
func TestTree(t *testing.T) {
	sources := tree(t, "../..")
	if len(sources) < 20 || !slices.ContainsFunc(sources, func(s source) bool { return s.path == "drift/assess.go" }) {
		t.Fatalf("found %d Go files: this is not the tree that is meant", len(sources))
	}
	for _, violation := range violations(sources) {
		t.Error(violation)
	}
}

func violations(sources []source) []string {
	return slices.Concat(importViolations(sources), globalViolations(sources), wordViolations(sources))
}

// TestRoomsAreInOrder holds the table itself: a room may import only rooms that stand above it, so no import can lead upward or in a circle.
func TestRoomsAreInOrder(t *testing.T) {
	seen := map[string]bool{}
	for _, room := range rooms {
		for _, name := range room.may {
			if !seen[name] {
				t.Errorf("%s may import %s, which does not stand above it", room.name, name)
			}
		}
		seen[room.name] = true
	}
}

func TestChecker(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string // in exactly one violation; "" wants none
	}{
		"drift with semver":       {files("drift/a.go", `import "github.com/Masterminds/semver/v3"; import "strings"`), ""},
		"drift doing I/O":         {files("drift/a.go", `import "os"`), "drift/a.go imports os"},
		"drift timing":            {files("drift/a.go", `import "time"`), "drift is pure"},
		"drift with internal":     {files("drift/a.go", `import "sandkeeper/internal/env"`), "drift is pure"},
		"diagnose doing I/O":      {files("diagnose/a.go", `import "os"`), "diagnose is pure"},
		"diagnose with openshell": {files("diagnose/a.go", `import "sandkeeper/openshell"; import "sync"`), ""},
		"drift's tests":           {files("drift/a_test.go", `import "os"`), ""},
		"to the left":             {files("sandbox/a.go", `import "sandkeeper/backup"`), "sandbox may import gateway, engine, openshell, internal/*"},
		"to the right":            {files("backup/a.go", `import "sandkeeper/sandbox"; import "sandkeeper/internal/trust"`), ""},
		"cmd with drift":          {files("cmd/a.go", `import "sandkeeper/drift"`), ""},
		"main beside cmd":         {files("main.go", `import "sandkeeper/backup"`), "main may import cmd"},
		"internal with a layer":   {files("internal/env/a.go", `import "sandkeeper/gateway"`), "knows none"},
		"internal with internal":  {files("internal/ui/a.go", `import "sandkeeper/internal/env"`), ""},
		"unknown package":         {files("util/a.go", `import "strings"`), `package "util" is not in the layer table`},
		"cobra outside cmd":       {files("backup/a.go", `import "github.com/spf13/cobra"`), "only cmd may"},
		"color outside cmd":       {files("internal/ui/a.go", `import "github.com/fatih/color"`), "only cmd may"},
		"colour in cmd":           {files("cmd/a.go", `import "github.com/fatih/color"; import "github.com/spf13/cobra/doc"`), ""},
		"docker in preflight":     {files("preflight/a.go", `import "github.com/docker/docker/client"`), "only engine may"},
		"docker in gateway":       {files("gateway/a.go", `import "github.com/docker/docker/client"`), "only engine may"},
		"docker in engine":        {files("engine/a.go", `import "github.com/docker/docker/client"`, "engine/b.go", `import "github.com/docker/docker/api"`), ""},
		"docker in a test":        {files("cmd/a_test.go", `import "github.com/docker/docker/client"`, "internal/dockertest/a.go", `import "github.com/docker/docker/client"`), ""},

		"init":                    {files("gateway/a.go", `func init() {}`), "has an init function"},
		"method init":             {files("gateway/a.go", `type t int; func (t) init() {}`), ""},
		"environment":             {files("gateway/a.go", `func f() string { return os.Getenv("X") }`), "uses os.Getenv"},
		"exit":                    {files("cmd/a.go", `func f() { os.Exit(1) }`), "uses os.Exit"},
		"stream":                  {files("cmd/a.go", `func f() any { return os.Stderr }`), "uses os.Stderr"},
		"SystemStreams":           {files("cmd/a.go", `func SystemStreams() any { return os.Stderr }`), ""},
		"SystemStreams elsewhere": {files("gateway/a.go", `func SystemStreams() any { return os.Args }`), "uses os.Args"},
		"main.go":                 {files("main.go", `func main() { os.Exit(len(os.Args)) }`), ""},
		"test helper":             {files("test/e2e/a.go", `func f() { os.Exit(1) }`), ""},

		"mutable":             {files("cmd/a.go", `var x int`), "package variable x can change"},
		"seam":                {files("cmd/a.go", `var now = time.Now`), "package variable now can change"},
		"lock":                {files("cmd/a.go", `var mu = sync.Mutex{}`), "package variable mu can change"},
		"second of two":       {files("cmd/a.go", `var a, b = errors.New("a"), 2`), "package variable b can change"},
		"error":               {files("cmd/a.go", `var ErrX = errors.New("x")`), ""},
		"expression":          {files("cmd/a.go", `var x = regexp.MustCompile("a" + "b")`), ""},
		"assertion":           {files("cmd/a.go", `var _ io.Writer = (*t)(nil)`), ""},
		"key":                 {files("cmd/a.go", `var key = []byte("a")`), ""},
		"public key":          {files("cmd/a.go", `var Key = []byte("a")`), "package variable Key can change"},
		"on first use":        {files("cmd/a.go", `var x = sync.OnceValue(f)`), ""},
		"expression later":    {files("cmd/a.go", `var x = pattern.Of("a" + "b")`), ""},
		"expression replaced": {files("cmd/a.go", `var x = pattern.Of("a"); func g() { x = nil }`), "package variable x can change"},
		"replaced later":      {files("cmd/a.go", `var x = sync.OnceValue(f); func g() { x = nil }`), "package variable x can change"},
		"embedded":            {files("cmd/a.go", "//go:embed x.txt\nvar x string"), ""},
		"private table":       {files("cmd/a.go", `var words = []string{"a"}; func f() string { return words[0] }`), ""},
		"public table":        {files("cmd/a.go", `var Words = []string{"a"}`), "package variable Words can change"},
		"table written":       {files("cmd/a.go", `var words = []string{"a"}`, "cmd/b.go", `func f() { words[0] = "b" }`), "package variable words can change"},
		"table grown":         {files("cmd/a.go", `var m = map[string]int{}; func f() { m["a"]++ }`), "package variable m can change"},
		"table emptied":       {files("cmd/a.go", `var m = map[string]int{}; func f() { clear(m) }`), "package variable m can change"},
		"table handed out":    {files("cmd/a.go", `var m = [2]int{}; func f() *int { return &m[0] }`), "package variable m can change"},
		"sentinel":            {files("cmd/a.go", `func f() error { return fmt.Errorf("no sandbox: %w", fs.ErrNotExist) }`), "words of fs.ErrNotExist"},
		"limit":               {files("cmd/a.go", `func f() { context.WithTimeout(ctx, 3) }`), "has no name"},
		"error of the system": {files("cmd/a.go", `func f() error { return fmt.Errorf("reading: %w", err) }`), ""},
		"other package's own": {files("cmd/a.go", `var m = []int{1}`, "gateway/b.go", `func f() { m := 1; _ = m }`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var sources []source
			for file, content := range test.files {
				sources = append(sources, parse(t, file, content))
			}
			got := violations(sources)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("violations %q, want %q", got, test.want)
			}
		})
	}
}

// files are pairs of a path and what follows its package clause.
func files(pairs ...string) map[string]string {
	made := map[string]string{}
	for n := 0; n < len(pairs); n += 2 {
		made[pairs[n]] = "package p\n" + pairs[n+1]
	}
	return made
}
