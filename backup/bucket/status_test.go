package bucket

import (
	"net/http"
	"sync/atomic"
	"testing"

	"sandkeeper/internal/buckettest"
)

// adds gives what was said before, and a word after it.
func adds(word string) func([]byte) ([]byte, error) {
	return func(said []byte) ([]byte, error) { return append(said, word...), nil }
}

// assertSays compares what the one host in the bucket says of itself.
func (f *fixture) assertSays(want string) {
	f.t.Helper()
	all, err := f.open("fleet").Statuses(f.t.Context())
	if err != nil || len(all) != 1 || string(all[0].Text) != want || all[0].Host != "host1" {
		f.t.Errorf("it says %+v, %v; want %q", all, err, want)
	}
}

// Promise: of two runs that change a host's status at once, neither undoes what the other one found.
func TestTwoRunsAtOnceBothSayTheirPart(t *testing.T) {
	f := newFixture(t, false)
	one, other := f.open("host1"), f.open("host1")
	if err := one.ChangeStatus(t.Context(), adds("night,")); err != nil {
		t.Fatal(err)
	}
	asked := 0
	err := one.ChangeStatus(t.Context(), func(said []byte) ([]byte, error) {
		if asked++; asked == 1 {
			if err := other.ChangeStatus(t.Context(), adds("drill,")); err != nil {
				t.Fatal(err)
			}
		}
		return adds("verify")(said)
	})
	if err != nil || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	f.assertSays("night,drill,verify")
	if err := one.ChangeStatus(t.Context(), func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Error(err)
	}
	f.assertSays("night,drill,verify")
}

// A server that does not know If-Match gets the status all the same.
func TestAServerWithoutIfMatchTakesTheStatus(t *testing.T) {
	for _, answer := range []buckettest.Fault{{Status: http.StatusNotImplemented, Code: "NotImplemented"}, {Status: http.StatusBadRequest, Code: "InvalidArgument"}} {
		f := newFixture(t, false)
		proxy := f.server.Proxy(t)
		var refused atomic.Int64
		proxy.Judge(func(r *http.Request) *buckettest.Fault {
			if r.Header.Get("If-Match") != "" {
				refused.Add(1)
				return &answer
			}
			return nil
		})
		for _, word := range []string{"night,", "drill"} {
			if err := f.open("host1").ChangeStatus(t.Context(), adds(word)); err != nil {
				t.Errorf("%+v: %v", answer, err)
			}
		}
		if f.assertSays("night,drill"); refused.Load() == 0 {
			t.Error("nothing was asked with If-Match")
		}
	}
}
