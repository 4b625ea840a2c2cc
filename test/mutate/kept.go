package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// keptResult is one line of a file with the results of earlier runs.
type keptResult struct {
	Key     string `json:"key"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
}

// results are those of earlier runs, so that a run of an hour can be made in pieces. One counts as long as neither the mutant nor its
// file has changed.
type results struct {
	file string // "": nothing is kept
	seen map[string]keptResult
}

func readResults(file string) (results, error) {
	k := results{file: file, seen: map[string]keptResult{}}
	if file == "" {
		return k, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return k, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r keptResult
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			k.seen[r.Key] = r
		}
	}
	return k, lines.Err()
}

// key names a mutant of a file as it is.
func (m mutant) key() string {
	source, err := os.ReadFile(m.File)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{m.File, m.Old, m.New, strings.Join(m.Tests, " "), string(source)}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// of is the kept result of a mutant. A broken one is tried again, and so is one that survived: a test may have come since.
func (k results) of(m mutant) (result, bool) {
	r, found := k.seen[m.key()]
	return result{mutant: m, verdict: r.Verdict, detail: r.Detail}, found && r.Verdict == killed
}

func (k results) keep(r result) error {
	if k.file == "" {
		return nil
	}
	line, err := json.Marshal(keptResult{r.key(), r.verdict, r.detail})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(k.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
