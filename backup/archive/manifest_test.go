package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sampleManifest() *Manifest {
	return &Manifest{
		Schema: SchemaArchive, ID: "20261121T101500Z-1f3a", Sandbox: "alpha", Inventory: "containers", Home: "/sandbox", Tool: "1.2.3",
		Versions: Versions{CLI: "0.0.37"}, Started: time.Date(2026, 11, 21, 10, 15, 0, 0, time.UTC), Consistency: ConsistencyPaused, Secrets: SecretsExclude,
		Recipe:  &Origin{Labels: map[string]string{"a": "b"}, Env: []string{"PATH"}, Policy: json.RawMessage(`{"x":1}`)},
		Archive: ArchiveFile{File: ArchiveName, Bytes: 10, SHA256: "ab"}, Content: Content{Entries: 2}, Exclusions: []Exclusion{{Path: "p", Kind: LeftOutOther, Reason: "r"}},
		Index: &Index{Frames: []Frame{{Raw: 1, Size: 10}}, Entries: []Entry{{Path: ".", Type: "dir", Mode: 0o755}, {Path: "\uFFFD", Raw: []byte{0xe9}, Type: "file"}}},
	}
}

func TestManifestSurvivesReadAndWrite(t *testing.T) {
	text, err := sampleManifest().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatalf("not JSON:\n%s", text)
	}
	future := Seal(bytes.Replace(text[:bytes.LastIndex(text, []byte(SealHead))], []byte(`  "index"`), []byte("  \"future\": {\"kept\": [1, 2.50]},\n  \"index\""), 1))
	m, err := DecodeManifest(future, false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Encode()
	if err != nil || !bytes.Contains(again, []byte(`"future": {"kept":`)) {
		t.Errorf("an unknown member was lost: %v\n%s", err, again)
	}
	known, err := DecodeManifest(again, false)
	if err != nil {
		t.Fatal(err)
	}
	known.extra = nil
	if diff := cmp.Diff(sampleManifest(), known, cmp.AllowUnexported(Manifest{}, Index{})); diff != "" {
		t.Error(diff)
	}
	head, err := DecodeManifest(again, true)
	if err != nil || head.Index != nil || head.Content.Entries != 2 || len(head.extra) != 1 {
		t.Errorf("head = %+v, %v", head, err)
	}
}

func TestEveryManifestMemberIsKnown(t *testing.T) {
	full := sampleManifest()
	full.SandboxID, full.Gateway, full.Label, full.Agent, full.Container, full.ConsistencyReason = "x", "x", "x", "x", "x", "x"
	full.SkippedChecks, full.Encryption = []string{"x"}, &Encryption{Recipients: []string{"x"}}
	full.Schema, full.Workspace, full.Standing, full.ContentOf = Schema, "x", &LayerFingerprint{}, "x"
	full.Parts = []string{"x"}
	full.IndexFile, full.Blocks = &ArchiveFile{File: IndexName}, &BlockSums{Added: 1}
	text, err := full.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := DecodeManifest(text, false); err != nil || len(m.extra) > 0 {
		t.Errorf("%v; members of ours that count as unknown: %v", err, m.extra)
	}
}

func TestManifestSealFindsEveryBit(t *testing.T) {
	text, err := sampleManifest().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(text) {
		text[bit/8] ^= 1 << (bit % 8)
		if _, err := DecodeManifest(text, true); err == nil {
			t.Errorf("bit %d was not found", bit)
		}
		text[bit/8] ^= 1 << (bit % 8)
	}
	if _, err := DecodeManifest(text, true); err != nil {
		t.Error(err)
	}
}

func TestManifestOfALaterSchemaIsRefused(t *testing.T) {
	later := sampleManifest()
	later.Schema = Schema + 1
	text, err := later.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeManifest(text, false); err == nil || !strings.Contains(err.Error(), "schema 3") {
		t.Errorf("err = %v", err)
	}
	for _, odd := range []string{`[]`, `null`, `{"schema":"1"`} {
		if _, err := DecodeManifest(Seal([]byte(odd+",\n")), false); err == nil {
			t.Errorf("%s was read", odd)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	text, err := sampleManifest().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text[:bytes.LastIndex(text, []byte(SealHead))])
	f.Add([]byte("{\n  \"schema\": 1,\n"))
	f.Add([]byte("{\n  \"schema\": 1,\n  \"index\": {\"frames\":[{}]},\n"))
	f.Fuzz(func(t *testing.T, open []byte) {
		text := Seal(bytes.Clone(open)) // damage is found by the seal; what is behind it must stand foreign bytes as well
		m, err := DecodeManifest(text, false)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if _, err := DecodeManifest(again, false); err != nil {
			t.Errorf("written but not read: %v\n%q", err, again)
		}
		if _, err := DecodeManifest(text, true); err != nil {
			if _, damaged := errors.AsType[*DamageError](err); !damaged {
				t.Errorf("head: %v", err)
			}
		}
		_ = CheckIndex(m)
	})
}
