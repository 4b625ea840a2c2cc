package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// sameTree is `same save DIR NAME` and `same DIR NAME`: that nothing below DIR changed since it was saved under NAME: names, modes,
// contents, modification times.
func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "save" {
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(treeOf(ts, args[1])), 0o600))
		return
	}
	if got, want := treeOf(ts, args[0]), ts.ReadFile(args[1]); (got == want) == neg {
		ts.Fatalf("%s, compared with %s: same is %v\nbefore:\n%s\nnow:\n%s", args[0], args[1], got == want, want, got)
	}
}

func treeOf(ts *testscript.TestScript, dir string) string {
	var b strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s %d %s\n", path, info.Mode(), info.Size(), info.ModTime())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%q\n", content)
			return err
		}
		return nil
	}))
	return b.String()
}

// foundCommand is `[!] found PATTERN`: that a file is (not) there whose path matches.
func foundCommand(ts *testscript.TestScript, neg bool, args []string) {
	there, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if (len(there) > 0) == neg {
		ts.Fatalf("%s matches %q", args[0], there)
	}
}

// jsonCommand is `json PATH VALUE`: standard output of the last exec is exactly one JSON document, and what stands at the dotted
// PATH prints as VALUE. Lists are indexed by number.
func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	var document any
	ts.Check(decoder.Decode(&document))
	if decoder.More() {
		ts.Fatalf("more than one document on standard output")
	}
	got := fmt.Sprint(at(document, strings.Split(args[0], ".")))
	if (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want (negated: %v) %q", args[0], got, neg, args[1])
	}
}

func at(value any, path []string) any {
	for _, key := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}
