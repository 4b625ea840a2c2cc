package wire

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// specOf is a SandboxSpec whose parts stand in an odd order, with fields of the future in it and in its template.
func specOf(image string, env []byte) []byte {
	var template, s builder
	template.text(977, "template of the future")
	template.text(templateImage, image)
	template.number(978, 7)
	s.number(specTTY, 1)
	s = append(s, env...)
	s.text(999, "from the future")
	s.embed(specTemplate, template)
	s.text(specProviders, "openai")
	s.embed(specPolicy, []byte{8, 1})
	s = protowire.AppendFixed32(protowire.AppendTag(s, 998, protowire.Fixed32Type), 42)
	return s
}

func envOf(pairs ...string) []byte {
	var b builder
	for i := 0; i < len(pairs); i += 2 {
		b.embed(specEnvironment, entry(pairs[i], pairs[i+1]))
	}
	return b
}

func TestEditsLeaveEveryOtherByte(t *testing.T) {
	env := envOf("B", "2", "A", "1")
	got, err := WithImage(specOf("img:1", env), "img:2@sha256:longer")
	if want := specOf("img:2@sha256:longer", env); err != nil || !bytes.Equal(got, want) {
		t.Errorf("another image: %q, %v, want %q", got, err, want)
	}
	got, err = WithEnv(specOf("img:1", env), map[string]string{"A": "1", "B": "2"})
	if err != nil || !bytes.Equal(got, specOf("img:1", env)) {
		t.Errorf("the same environment: %q, %v", got, err)
	}
	got, err = WithEnv(specOf("img:1", env), map[string]string{"A": "1", "B": "3", "D": "4", "C": ""})
	want := append(specOf("img:1", envOf("A", "1")), envOf("B", "3", "C", "", "D", "4")...)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("another environment: %q, %v, want %q", got, err, want)
	}
	got, err = WithDriverConfig(nil, []byte("\x0a\x00"))
	if err != nil || !bytes.Equal(got, []byte{0x32, 4, 0x5a, 2, 0x0a, 0}) {
		t.Errorf("a driver configuration for an empty spec: %x, %v", got, err)
	}
}

func TestRepeatedPartsAreMerged(t *testing.T) {
	var one, two builder
	one.text(templateImage, "img:1")
	two.text(templateImage, "img:9")
	two.number(978, 7)
	var s builder
	s.embed(specTemplate, one)
	s.embed(specTemplate, two)
	read, err := ReadSpec(s)
	if err != nil || read.Image != "img:9" {
		t.Errorf("the last image counts, got %+v, %v", read, err)
	}
	got, err := WithImage(s, "img:2")
	if err != nil || bytes.Count(got, []byte("img:")) != 1 || !bytes.Contains(got, []byte("img:2")) || len(got) >= len(s) {
		t.Errorf("WithImage: %q, %v", got, err)
	}
}

func TestBrokenSpecsAreErrors(t *testing.T) {
	var template builder
	template.embed(specTemplate, []byte{0xff})
	var imageless builder
	imageless.embed(specTemplate, []byte{0x08, 0x01})
	for _, b := range [][]byte{{0xff}, template, imageless, {0x2a, 1, 0xff}, {0x28, 1}} {
		if _, err := ReadSpec(b); err == nil {
			t.Errorf("%x was read as a spec", b)
		}
	}
	for _, b := range [][]byte{{0xff}, template} {
		_, image := WithImage(b, "x")
		_, env := WithEnv(b, nil)
		_, fit := VersionOf("0.1.0").FitSpec(b)
		if image == nil || env == nil || fit == nil {
			t.Errorf("%x was changed: %v, %v, %v", b, image, env, fit)
		}
	}
}

func TestFitSpec(t *testing.T) {
	with := func(number protowire.Number, value uint64, content string) []byte {
		var s builder
		s.text(1, "info")
		if content == "" {
			s = protowire.AppendVarint(protowire.AppendTag(s, number, protowire.VarintType), value)
		} else {
			s.text(number, content)
		}
		s.text(999, "future")
		return s
	}
	inTemplate := func(number protowire.Number) []byte {
		var template, s builder
		template.text(number, "x")
		s.embed(specTemplate, template)
		return s
	}
	gpu := with(specResources, 0, "\x0a\x00")
	for name, c := range map[string]struct {
		version string
		spec    []byte
		want    []byte
		cannot  string
	}{
		"nothing special":        {"0.0.36", with(13, 1, "")[:6], with(13, 1, "")[:6], ""},
		"gpu stays a flag":       {"0.0.68", with(specResources, 1, ""), with(specResources, 1, ""), ""},
		"gpu becomes a message":  {"0.0.69", with(specResources, 1, ""), gpu, ""},
		"no gpu is nothing":      {"0.1.0", with(specResources, 0, ""), slices.Delete(with(specResources, 0, ""), 6, 8), ""},
		"gpu message stays":      {"0.1.0", gpu, gpu, ""},
		"gpu message too new":    {"0.0.52", gpu, nil, "resource requirements"},
		"gpu device too old":     {"0.0.61", with(specGPUDevice, 0, "gpu0"), nil, "a GPU device"},
		"gpu device understood":  {"0.0.60", with(specGPUDevice, 0, "gpu0"), with(specGPUDevice, 0, "gpu0"), ""},
		"command too new":        {"0.0.110", with(specCommand, 0, "run"), nil, "the main command"},
		"command understood":     {"0.0.111", with(specCommand, 0, "run"), with(specCommand, 0, "run"), ""},
		"volume claims too old":  {"0.0.74", inTemplate(templateVolumeClaims), nil, "volume claim templates"},
		"driver config too new":  {"0.0.57", inTemplate(templateDriverConfig), nil, "a driver configuration"},
		"driver config is known": {"0.1.9", inTemplate(templateDriverConfig), inTemplate(templateDriverConfig), ""},
	} {
		got, err := VersionOf(c.version).FitSpec(c.spec)
		inexpressible, _ := errors.AsType[*InexpressibleError](err)
		switch {
		case c.cannot != "":
			if inexpressible == nil || inexpressible.What != c.cannot || !strings.Contains(err.Error(), c.version) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || !bytes.Equal(got, c.want):
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	stripped, err := VersionOf("0.1.0").FitSpec(with(specEpoch, 0, "epoch"))
	if err != nil || bytes.Contains(stripped, []byte("epoch")) || !bytes.Contains(stripped, []byte("future")) {
		t.Errorf("the gateway's own attachment identity is replayed: %q, %v", stripped, err)
	}
}

func TestCreateSandboxRefusesWhatIsNotHeard(t *testing.T) {
	for version, c := range map[string]Creation{
		"0.0.36": {Labels: map[string]string{"a": "b"}},
		"0.0.83": {Annotations: map[string]string{"a": "b"}},
		"0.0.87": {Workspace: "blue"},
	} {
		_, err := VersionOf(version).CreateSandbox(c)
		if _, ok := errors.AsType[*InexpressibleError](err); !ok {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func TestReadDeletion(t *testing.T) {
	for _, c := range []struct {
		version string
		answer  []byte
		want    Deletion
	}{
		{"0.0.36", []byte{0x08, 1}, Deleted},
		{"0.0.110", nil, AlreadyAbsent},
		{"0.1.0", []byte{0x10, 1}, Deleted},
		{"0.1.0", []byte{0x10, 2}, DeletionAccepted},
		{"0.1.0", []byte{0x10, 3}, AlreadyAbsent},
		{"0.1.0", []byte{0x08, 1}, DeletionUnsaid},
		{"0.1.0", []byte{0x10, 9}, DeletionUnsaid},
	} {
		if got, err := VersionOf(c.version).ReadDeletion(c.answer); err != nil || got != c.want {
			t.Errorf("%s %x: %v, %v, want %v", c.version, c.answer, got, err, c.want)
		}
	}
	if _, err := VersionOf("0.1.0").ReadDeletion([]byte{0x12, 0}); err == nil {
		t.Error("an outcome of another type was read")
	}
}

func TestReadHealthAndDrivers(t *testing.T) {
	got, err := ReadHealth([]byte("\x08\x01\x12\x070.0.110"))
	if diff := cmp.Diff(Health{"healthy", "0.0.110"}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if got, err := ReadHealth([]byte{0x08, 77}); err != nil || got.Status != "unspecified" {
		t.Errorf("an unknown status: %+v, %v", got, err)
	}
	for _, b := range [][]byte{{0xff}, {0x0a, 0}, {0x10, 1}} {
		if _, err := ReadHealth(b); err == nil {
			t.Errorf("%x was read as a health answer", b)
		}
	}
	names, err := ReadDrivers([]byte("\x1a\x08\x0a\x06docker\x1a\x00"))
	if diff := cmp.Diff([]string{"docker", ""}, names); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func FuzzReadSandbox(f *testing.F) {
	for _, name := range []string{"cluster", "metadata", "status", "timestamps"} {
		f.Add(golden(f, name), "0.0.0")
		f.Add(golden(f, name), "0.0.110")
	}
	f.Add([]byte{0xff}, "0.1.0")
	f.Fuzz(func(t *testing.T, b []byte, version string) {
		s, err := VersionOf(version).ReadSandbox(b)
		if err == nil && (s.ID == "" || s.Name == "") {
			t.Fatalf("%x is a sandbox without id or name: %+v", b, s)
		}
	})
}

// FuzzEditSpec holds that an edit changes what it should and nothing else, and that what was readable stays so.
func FuzzEditSpec(f *testing.F) {
	f.Add(specOf("img:1", envOf("A", "1")), "img:2", "K", "V")
	f.Add([]byte{}, "", "", "")
	f.Add([]byte{0x32, 0, 0x32, 2, 0x0a, 0}, "i", "A", "")
	f.Fuzz(func(t *testing.T, spec []byte, image, name, value string) {
		before, err := ReadSpec(spec)
		if err != nil {
			return
		}
		edited, err := WithImage(spec, image)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := WithImage(edited, image); err != nil || !bytes.Equal(again, edited) {
			t.Fatalf("WithImage is not idempotent: %x then %x, %v", edited, again, err)
		}
		edited, err = WithEnv(edited, map[string]string{name: value})
		if err != nil {
			t.Fatal(err)
		}
		after, err := ReadSpec(edited)
		if valid := utf8.ValidString(image) && utf8.ValidString(name) && utf8.ValidString(value); valid && err != nil {
			t.Fatalf("the edited spec cannot be read: %v", err)
		} else if !valid {
			return
		}
		before.Image, before.Env = image, map[string]string{name: value}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Labels are set and taken off in the template; every other byte of the spec stays, the unknown ones included.
func TestWithTemplateLabels(t *testing.T) {
	var spec, template builder
	template.text(templateImage, "img:1")
	template.text(99, "from the future")
	spec.embed(specTemplate, template)
	labelled, err := WithTemplateLabels(spec, map[string]string{"fleet": "prod"})
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadSpec(labelled)
	if err != nil || read.Image != "img:1" || read.TemplateLabels["fleet"] != "prod" || !strings.Contains(string(labelled), "from the future") {
		t.Errorf("labelled: %+v, %v", read, err)
	}
	bare, err := WithTemplateLabels(labelled, nil)
	if err != nil || string(bare) != string(spec) {
		t.Errorf("taken off again: %x, %v; want %x", bare, err, []byte(spec))
	}
}
