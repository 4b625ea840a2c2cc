package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// member is one member of a JSON object, in the file's order.
type member struct {
	key   string
	value json.RawMessage
}

// Encode renders m: one line per member and per element of a list, the index after the facts, the seal last.
func (m *Manifest) Encode() ([]byte, error) {
	known, err := json.Marshal(m.Head())
	if err != nil {
		return nil, err
	}
	members, err := splitMembers(known)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(m.roughSize())
	out.WriteString("{\n")
	for _, mem := range append(members, m.extra...) {
		key, err := json.Marshal(mem.key)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "  %s: ", key)
		if err := writeValue(&out, mem.value); err != nil {
			return nil, err
		}
		out.WriteString(",\n")
	}

	if m.Index != nil && m.Schema == SchemaArchive {
		if err := m.Index.write(&out); err != nil {
			return nil, err
		}
	}

	return Seal(out.Bytes()), nil
}

// roughSize is a little more than the manifest takes as text, so that a large one is not copied while it grows.
func (m *Manifest) roughSize() int {
	size := 16 << 10
	if m.Index == nil || m.Schema != SchemaArchive {
		return size
	}
	size += 160 * len(m.Index.Frames)
	for i := range m.Index.Entries {
		size += 128 + len(m.Index.Entries[i].Path) + len(m.Index.Entries[i].Link)
	}
	return size
}

// write renders the index element by element: it is nearly all of a manifest, and copies of it would be most of a run's
// memory.
func (x *Index) write(out *bytes.Buffer) error {
	out.WriteString("  \"index\": {\n    \"frames\": ")
	if err := writeList(out, "    ", x.Frames); err != nil {
		return err
	}
	out.WriteString(",\n    \"entries\": ")
	if err := writeList(out, "    ", x.Entries); err != nil {
		return err
	}
	out.WriteString("\n  },\n")
	return nil
}

// writeValue writes lists of objects line by line, so that people and diff can read them.
func writeValue(out *bytes.Buffer, value json.RawMessage) error {
	if !bytes.HasPrefix(value, []byte(`[{`)) {
		out.Write(value)
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(value, &items); err != nil {
		return err
	}
	return writeList(out, "  ", items)
}

func writeList[T any](out *bytes.Buffer, indent string, items []T) error {
	out.WriteString("[")
	for i := range items {
		text, err := json.Marshal(&items[i])
		if err != nil {
			return err
		}
		out.WriteString(listGap(i) + indent + "  ")
		out.Write(text)
	}

	out.WriteString("\n" + indent + "]")
	return nil
}

func listGap(i int) string {
	if i == 0 {
		return "\n"
	}
	return ",\n"
}

// splitMembers takes the top of a JSON object apart and keeps the order.
func splitMembers(object []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	open, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var members []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		mem := member{key: key.(string)} // inside an object the decoder yields strings only
		if err := dec.Decode(&mem.value); err != nil {
			return nil, err
		}
		members = append(members, mem)
	}

	_, err = dec.Token()
	return members, err
}

// DecodeManifest reads a manifest: seal, JSON, schema. With headOnly the index, most of the file, is proven by the seal
// but not parsed.
func DecodeManifest(content []byte, headOnly bool) (*Manifest, error) {
	if err := checkSeal(content); err != nil {
		return nil, err
	}
	if headOnly {
		content = cutIndex(content)
	}
	var m Manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, &DamageError{Kind: DamageManifest, Err: err}
	}
	if m.Schema < SchemaArchive || m.Schema > Schema {
		return nil, fmt.Errorf("manifest has schema %d, this program reads schemas up to %d", m.Schema, Schema)
	}
	if (m.Schema == SchemaArchive) != (m.Blocks == nil) || (m.Blocks == nil) != (m.IndexFile == nil) {
		return nil, Damagef(DamageManifest, ManifestName, "it has not the members of its schema %d", m.Schema)
	}
	members, err := splitMembers(cutIndex(content))
	if err != nil {
		return nil, &DamageError{Kind: DamageManifest, Err: err}
	}
	for _, mem := range members {
		if !knownMember(mem.key) {
			m.extra = append(m.extra, mem)
		}
	}

	if headOnly {
		m.Index = nil
	}
	return &m, nil
}

// cutIndex drops the index from a manifest in the layout of encode. A line break cannot be inside a JSON string, so the
// mark is unambiguous; a manifest laid out otherwise is returned whole.
func cutIndex(content []byte) []byte {
	at := bytes.LastIndex(content, []byte(",\n  \"index\": {"))
	if at < 0 {
		return content
	}
	return append(content[:at:at], "\n}\n"...)
}

// knownMember reports whether a member of the top is a field of Manifest, or the seal.
func knownMember(key string) bool {
	if key == "seal" {
		return true
	}
	for field := range reflect.TypeFor[Manifest]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == key {
			return true
		}
	}
	return false
}

// Head is m without its index.
func (m *Manifest) Head() *Manifest {
	head := *m
	head.Index = nil
	return &head
}

// EncodeIndex renders the index of m for a file of its own.
func (m *Manifest) EncodeIndex(out io.Writer) error {
	w := newIndexWriter(out)
	var err error
	for e := range m.Index.All(&err) {
		if err = w.entry(&e); err != nil {
			break
		}
	}

	if err != nil {
		return err
	}
	return w.finish(indexEnd{Runs: m.Index.Runs})
}

// TakeIndex gives m the index in a file of its own, whose bytes these are, and what else that says of an encrypted
// backup: ErrNoIdentity when no key opens it. runsOnly leaves out its entries.
func (m *Manifest) TakeIndex(text []byte, ids Identities, runsOnly bool) error {
	if sumOf(text) != m.IndexFile.SHA256 || int64(len(text)) != m.IndexFile.Bytes {
		return Damagef(DamageIndex, m.IndexFile.File, "it is not the index that its manifest names")
	}
	packed, err := ids.plain(text, m)
	if errors.Is(err, ErrNoIdentity) {
		return err
	}
	var x *Index
	if err == nil {
		x, err = readIndex(packed, runsOnly)
	}
	if err == nil && m.Sealed() != (x.Key != nil) {
		err = errors.New("it has the store key of another kind of backup")
	}
	if err != nil {
		return &DamageError{Kind: DamageIndex, Object: m.IndexFile.File, Err: err}
	}
	m.Index = x
	if m.Sealed() {
		m.Exclusions = append([]Exclusion{}, x.Exclusions...)
	}
	return nil
}
