package cmd

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandkeeper/diagnose"
)

// Whatever text is diagnosed, the advice names only commands and flags of this program that exist.
func TestAdviceNamesOnlyCommandsThatExist(t *testing.T) {
	root := testTree(t)
	seen := 0
	for command := range advised(t) {
		words := strings.Fields(command)[1:]
		found, rest, err := root.Find(words)
		if err != nil || found == root {
			t.Errorf("%q is advised, and is no command: %v", command, err)
			continue
		}
		seen++
		for _, word := range rest {
			if name, isFlag := strings.CutPrefix(word, "--"); isFlag && found.Flags().Lookup(name) == nil && found.InheritedFlags().Lookup(name) == nil {
				t.Errorf("%q is advised, and %s has no flag --%s", command, found.CommandPath(), name)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d commands were advised: this is not what diagnose says", seen)
	}
}

// advised are the commands of this program that are named for the texts of the corpora, in actions and in sentences.
func advised(t *testing.T) map[string]bool {
	t.Helper()
	commands := map[string]bool{}
	inSentence := regexp.MustCompile(`sandkeeper [a-z-]+(?: [a-z]+)?(?: --[a-z-]+)*`)
	for _, text := range corpora(t) {
		d := diagnose.Classify(text, diagnose.Pasted)
		for _, sentence := range slices.Concat(d.Actions, []string{d.Explanation, d.Decides}) {
			for _, command := range inSentence.FindAllString(sentence, -1) {
				commands[command] = true
			}
		}
	}
	return commands
}

func corpora(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../diagnose/testdata/*.jsonl")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no corpora: %v", err)
	}
	var texts []string
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var s struct{ Text string }
			if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			texts = append(texts, s.Text)
		}
	}
	return texts
}
