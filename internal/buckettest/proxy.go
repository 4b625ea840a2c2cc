package buckettest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what a proxy does to a request instead of passing it on, or to its answer.
type Fault struct {
	Status int           // answer with it
	Code   string        // and with this S3 error
	Cut    int64         // end the connection after so many bytes of the answer's body
	Slow   time.Duration // wait so long before each piece of the answer's body but the first, which comes with the headers
	Drop   bool          // do not answer at all: end the connection
	Done   func()        // called when the server has answered, before its answer is passed on
}

// Proxy stands between a client and a server, and does what Judge says.
type Proxy struct {
	Endpoint string
	Requests atomic.Int64

	judge atomic.Pointer[func(*http.Request) *Fault]
}

// Judge decides what happens to each request; nil passes it on. It may be called by many goroutines.
func (p *Proxy) Judge(judge func(*http.Request) *Fault) { p.judge.Store(&judge) }

// Proxy starts a proxy before the server and names it in the environment of the test.
func (s *Server) Proxy(t testing.TB) *Proxy {
	t.Helper()
	to, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{}
	p.Judge(func(*http.Request) *Fault { return nil })
	passing := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }, // the host is signed
		ModifyResponse: func(answer *http.Response) error {
			if f, ok := answer.Request.Context().Value(faultKey{}).(*Fault); ok {
				if f.Done != nil {
					f.Done()
				}
				answer.Body = &badBody{ReadCloser: answer.Body, fault: *f}
			}
			return nil
		},
		FlushInterval: -1, // what has come is passed on at once
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Requests.Add(1)
		fault := (*p.judge.Load())(r)
		switch {
		case fault == nil:
			passing.ServeHTTP(w, r)
		case fault.Drop:
			_, _ = io.CopyN(io.Discard, r.Body, fault.Cut)
			panic(http.ErrAbortHandler)
		case fault.Status != 0:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(fault.Status)
			_, _ = io.WriteString(w, "<Error><Code>"+fault.Code+"</Code><Message>said by the test</Message></Error>")
		default:
			passing.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, fault)))
		}
	}))
	t.Cleanup(server.Close)
	p.Endpoint = server.URL
	s.Use(t, p.Endpoint)
	return p
}

type faultKey struct{}

// badBody is a body that comes slowly, or not to its end.
type badBody struct {
	io.ReadCloser
	fault Fault
	given int64
}

// Read gives the next bytes as the fault lets it.
func (b *badBody) Read(p []byte) (int, error) {
	if b.given > 0 {
		time.Sleep(b.fault.Slow)
	}
	if b.fault.Cut > 0 {
		if b.given >= b.fault.Cut {
			panic(http.ErrAbortHandler)
		}
		p = p[:min(int64(len(p)), b.fault.Cut-b.given)]
	}

	n, err := b.ReadCloser.Read(p)
	b.given += int64(n)
	return n, err
}
