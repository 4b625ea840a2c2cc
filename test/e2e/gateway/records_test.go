package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// names are those of the things in field 1 of a listing.
func names(t *testing.T, version string, answer message) (found []string, next string) {
	t.Helper()
	fields, err := decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if f.number == 2 {
			next = string(f.bytes)
			continue
		}
		inside, err := decode(f.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if GenerationOf(version) > Cluster {
			if inside, err = decode(inside[0].bytes); err != nil {
				t.Fatal(err)
			}
		}
		found = append(found, string(inside[1].bytes))
	}
	return found, next
}

// TestProvidersComeInPages reads 250 providers as each generation asks for them.
func TestProvidersComeInPages(t *testing.T) {
	var many []Provider
	for i := range 250 {
		many = append(many, Provider{ID: fmt.Sprintf("id-%d", i), Name: fmt.Sprintf("p%03d", i), Type: "generic", Created: time.Unix(int64(i), 0)})
	}
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.4"} {
		s := &Server{Version: version, Backend: NewMemory(), Records: NewRecords(many...)}
		var all []string
		for token := ""; ; {
			var in message
			in.number(1, 100)
			if GenerationOf(version) == Timestamps {
				in.text(2, token)
			} else {
				in.number(2, uint64(len(all)))
			}
			answer, err := s.unary()["ListProviders"](t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			page, next := names(t, version, answer)
			if all = append(all, page...); len(page) < 100 {
				break
			}
			if token = next; (token != "") != (GenerationOf(version) == Timestamps) {
				t.Fatalf("%s: the next page's token is %q", version, token)
			}
		}
		if len(all) != 250 || !slices.IsSorted(all) {
			t.Errorf("%s: %d providers, %v", version, len(all), all)
		}
	}
}

// TestUnknownProvidersAreRefused before anything is made, with the gateway's own code and words.
func TestUnknownProvidersAreRefused(t *testing.T) {
	for _, version := range []string{"0.0.36", "0.0.50", "0.0.110", "0.1.4"} {
		backend, records := NewMemory(), NewRecords(Provider{Name: "github"})
		s := &Server{Version: version, Backend: backend, Records: records}
		var in message
		in.embed(1, Sandbox{Image: "img:1", Providers: []string{"github", "gone"}}.NewSpec(version))
		in.text(2, "alpha")
		_, err := s.create(t.Context(), in)
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "provider 'gone' not found") {
			t.Errorf("%s: %v", version, err)
		}
		if made, _ := backend.List(t.Context()); len(made) != 0 {
			t.Errorf("%s: it made %v", version, made)
		}
	}
}

func TestPolicyRevisions(t *testing.T) {
	made := Sandbox{ID: "id-a", Name: "alpha", Policy: []byte{8, 1}, Phase: Ready}
	records := NewRecords()
	records.SetPolicy("id-a", []byte{8, 2}, PolicyLoaded)
	records.SetPolicy("id-a", []byte{8, 3}, PolicyFailed)
	s := &Server{Version: "0.0.110", Backend: NewMemory(made), Records: records}
	for version, want := range map[uint64]string{0: "\x08\x03", 1: "\x08\x01", 2: "\x08\x02", 3: "\x08\x03"} {
		var in message
		in.text(1, "alpha")
		in.number(2, version)
		answer, err := s.policyStatus(t.Context(), in)
		fields, _ := decode(answer)
		if err != nil || len(fields) != 2 || fields[1].varint != 2 || !strings.HasSuffix(string(fields[0].bytes), want) {
			t.Errorf("version %d: %q, %v", version, answer, err)
		}
	}
	for _, in := range []message{{0x0a, 5, 'a', 'l', 'p', 'h', 'a', 0x10, 9}, {0x0a, 1, 'x'}, {0x18, 1}} {
		if _, err := s.policyStatus(t.Context(), in); status.Code(err) != codes.NotFound {
			t.Errorf("%q: %v", in, err)
		}
	}
}
