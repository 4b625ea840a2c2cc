package lifecycle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sandkeeper/internal/text"
)

// StateInfo is one stored state without its payload.
type StateInfo struct {
	Sandbox       Reference `json:"sandbox"`
	Status        Status    `json:"status"`
	Extension     string    `json:"extension"`
	SchemaVersion uint32    `json:"schemaVersion"`
	Bytes         int       `json:"bytes"`
	Updated       time.Time `json:"updated"`
}

// StateDetail is one stored state whole. The payload is in JSON if it is JSON, else in Text if it is text, else in
// Binary (base64 in JSON).
type StateDetail struct {
	StateInfo
	JSON   json.RawMessage `json:"json,omitempty"`
	Text   string          `json:"text,omitempty"`
	Binary []byte          `json:"binary,omitempty"`
}

// Tracked returns the record of every sandbox that the store knows, by id.
func (s *Store) Tracked() ([]Tracked, error) {
	entries, err := s.all()
	records := make([]Tracked, len(entries))
	for i, e := range entries {
		records[i] = e.Tracked
	}
	return records, err
}

// States returns every stored state, by sandbox id and extension.
func (s *Store) States() ([]StateInfo, error) {
	entries, err := s.all()
	infos := []StateInfo{}
	for _, e := range entries {
		for _, name := range slices.Sorted(maps.Keys(e.states)) {
			infos = append(infos, e.info(name))
		}
	}
	return infos, err
}

// State returns one state. The sandbox is named by its id, or by its name if only one sandbox has it. ErrUnknownState
// is wrapped when there is none.
func (s *Store) State(sandbox, extension string) (StateDetail, error) {
	e, err := s.resolve(sandbox)
	if err != nil {
		return StateDetail{}, err
	}
	stored, ok := e.states[extension]
	if !ok {
		return StateDetail{}, e.unknown(extension)
	}
	return detail(e.info(extension), stored.Payload), nil
}

// Clear gives one state up, on the operator's word: nothing is released, the extension forgets the sandbox. The sandbox
// is named as for State. The record of the sandbox goes with its last state, unless the sandbox is still there.
func (s *Store) Clear(sandbox, extension string) error {
	e, err := s.resolve(sandbox)
	if err != nil {
		return err
	}
	_, has := e.states[extension]
	if !has && !slices.Contains(e.Owed, extension) {
		return e.unknown(extension)
	}
	delete(e.states, extension)
	other := func(name string) bool { return name == extension }
	e.Owed, e.Chain, e.Prepared = slices.DeleteFunc(e.Owed, other), slices.DeleteFunc(e.Chain, other), e.preparedWithout(extension)
	gone := e.Status == StatusDeleted || e.Status == StatusRollingBack
	if gone && len(e.Owed) == 0 && len(e.states) == 0 {
		return s.remove(e.ID)
	}
	return s.save(e, "")
}

// preparedWithout is the count of prepared extensions when one is taken out of the chain.
func (t Tracked) preparedWithout(extension string) int {
	if slices.Contains(t.Chain[:min(t.Prepared, len(t.Chain))], extension) {
		return t.Prepared - 1
	}
	return t.Prepared
}

func (s *Store) resolve(sandbox string) (entry, error) {
	e, found, err := s.get(sandbox)
	if found || err != nil {
		return e, err
	}
	entries, err := s.all()
	if err != nil {
		return entry{}, err
	}
	named := slices.DeleteFunc(entries, func(e entry) bool { return e.Name != sandbox })
	switch len(named) {
	case 0:
		return entry{}, fmt.Errorf("sandbox %q: %w", sandbox, ErrUnknownState)
	case 1:
		return named[0], nil
	}

	ids := make([]string, len(named))
	for i, e := range named {
		ids[i] = text.ShellWord(e.ID)
	}
	return entry{}, fmt.Errorf("sandbox %q: the name stands for %d stored sandboxes; use one of the ids %s", sandbox, len(named), strings.Join(ids, ", "))
}

func (e entry) info(extension string) StateInfo {
	state := e.states[extension]
	return StateInfo{
		Sandbox: e.Reference, Status: e.Status, Extension: extension, SchemaVersion: state.SchemaVersion,
		Bytes: len(state.Payload), Updated: state.Updated,
	}
}

func (e entry) unknown(extension string) error {
	known := strings.Join(slices.Sorted(maps.Keys(e.states)), ", ")
	return fmt.Errorf("sandbox %q: %w for extension %q; there is state for: %s", e.label(), ErrUnknownState, extension, cmp.Or(known, "none"))
}

func detail(info StateInfo, payload []byte) StateDetail {
	d := StateDetail{StateInfo: info}
	switch {
	case json.Valid(payload):
		d.JSON = payload
	case utf8.Valid(payload):
		d.Text = string(payload)
	default:
		d.Binary = payload
	}
	return d
}
