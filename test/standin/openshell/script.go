// Package openshell is a stand-in for the openshell command line, of any generation: it prints what the real one prints
// (held against test/e2e/testdata/real) and does what a JSON file tells it. Demo, script tests and end-to-end tests use
// it.
package openshell

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Script is the JSON file named by OPENSHELL_STANDIN: what there is and how to behave.
type Script struct {
	Version   string    `json:"version"`
	CallLog   string    `json:"callLog"` // one line per call is appended: the arguments, joined by spaces
	Gateways  []Gateway `json:"gateways"`
	Sandboxes []Sandbox `json:"sandboxes"`
	Answers   []Answer  `json:"answers"`
}

// Gateway is one gateway that the command line knows.
type Gateway struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	Version  string `json:"version"` // "" is the command line's own
	Auth     string `json:"auth"`    // "" is plaintext
	Active   bool   `json:"active"`
	Down     bool   `json:"down"` // refuses connections
	Live     bool   `json:"live"` // Endpoint is real: ask it over gRPC whether it is there and which version it is
	Status   string `json:"status"`
	Detail   string `json:"detail"` // what goes with a Status of "error" or "disconnected"
}

// Sandbox is one sandbox. Commands run in it are really run, with "/sandbox" meaning Root/sandbox.
type Sandbox struct {
	Name      string            `json:"name"`
	ID        string            `json:"id"`
	Gateway   string            `json:"gateway"` // "" is listed by every gateway
	Phase     string            `json:"phase"`   // "" is Ready
	Reason    string            `json:"reason"`  // why it is not Ready, and
	Message   string            `json:"message"` // in more words; shown by a command line of 0.1.x
	Workspace string            `json:"workspace"`
	Created   time.Time         `json:"created"`
	Image     string            `json:"image"`
	Labels    map[string]string `json:"labels"`
	Root      string            `json:"root"` // "" makes exec fail as without a supervisor
}

// Answer overrides what a call prints. It applies to calls whose words start with Args; Times limits it to the first so
// many of them (needs CallLog). With no Stdout, Stderr and Exit it only delays.
type Answer struct {
	Args   []string `json:"args"`
	Stdout string   `json:"stdout"`
	Stderr string   `json:"stderr"`
	Exit   int      `json:"exit"`
	Delay  string   `json:"delay"` // a Go duration
	Times  int      `json:"times"`
}

func load(path string) (Script, error) {
	var s Script
	content, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	for i := range s.Sandboxes {
		if root := s.Sandboxes[i].Root; root != "" && !filepath.IsAbs(root) {
			s.Sandboxes[i].Root = filepath.Join(filepath.Dir(path), root)
		}
	}

	if s.CallLog != "" && !filepath.IsAbs(s.CallLog) {
		s.CallLog = filepath.Join(filepath.Dir(path), s.CallLog)
	}
	return s, nil
}

// logged appends this call to the call log and returns all calls so far, this one last.
func (s Script) logged(args []string) ([]string, error) {
	if s.CallLog == "" {
		return []string{strings.Join(args, " ")}, nil
	}
	f, err := os.OpenFile(s.CallLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, strings.Join(args, " ")); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(s.CallLog)
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"), err
}

// answer is the first rule that fits this call.
func (s Script) answer(args, calls []string) (Answer, bool) {
	for _, a := range s.Answers {
		if !a.fits(strings.Join(args, " ")) {
			continue
		}
		so := slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return !a.fits(call) })
		if a.Times == 0 || len(so) <= a.Times {
			return a, true
		}
	}
	return Answer{}, false
}

func (a Answer) fits(call string) bool {
	words := strings.Join(a.Args, " ")
	return call == words || strings.HasPrefix(call, words+" ")
}
