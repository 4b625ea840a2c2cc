package lifecycle

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"sync"
	"time"
)

// Span is a named stretch of time in a trace. It is small enough that any tracing library can be put behind it.
type Span interface {
	// Child starts a span below this one.
	Child(name string) Span
	// Set attaches an attribute.
	Set(key, value string)
	// End finishes the span; err is nil when the work went well. Further calls do nothing.
	End(err error)
	// TraceID is the id all spans of one trace share; "" when nothing is recorded.
	TraceID() string
}

type spanKey struct{}

// WithSpan returns a context that carries span.
func WithSpan(ctx context.Context, span Span) context.Context {
	return context.WithValue(ctx, spanKey{}, span)
}

// SpanFrom returns the span of the context; never nil. Without one it returns a span that records nothing.
func SpanFrom(ctx context.Context) Span {
	if span, ok := ctx.Value(spanKey{}).(Span); ok {
		return span
	}
	return silent{}
}

type silent struct{}

// Child is as silent as its parent.
func (s silent) Child(string) Span { return s }

// Set forgets the attribute.
func (silent) Set(string, string) {}

// End has nothing to report.
func (silent) End(error) {}

// TraceID is "": there is no trace.
func (silent) TraceID() string { return "" }

// FinishedSpan is one ended span. Ids are hexadecimal, 16 bytes for traces and 8 for spans as in W3C Trace Context.
type FinishedSpan struct {
	TraceID    string            `json:"traceId"`
	SpanID     string            `json:"spanId"`
	ParentID   string            `json:"parentId,omitempty"`
	Name       string            `json:"name"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// StartTrace begins a new trace; finished receives every span of it as it ends, possibly from several goroutines at once.
func StartTrace(name string, finished func(FinishedSpan)) Span {
	return newSpan(hexID(16), "", name, finished)
}

type recorded struct {
	mu       sync.Mutex
	data     FinishedSpan
	ended    bool
	finished func(FinishedSpan)
}

func newSpan(trace, parent, name string, finished func(FinishedSpan)) *recorded {
	return &recorded{finished: finished, data: FinishedSpan{
		TraceID: trace, SpanID: hexID(8), ParentID: parent, Name: name, Start: time.Now(), Attributes: map[string]string{},
	}}
}

// Child begins a span of the same trace under this one.
func (s *recorded) Child(name string) Span {
	return newSpan(s.data.TraceID, s.data.SpanID, name, s.finished)
}

// Set gives the span an attribute; the last value of a key stays. After End it does nothing.
func (s *recorded) Set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.data.Attributes[key] = value
	}
}

// End hands the finished span over, once; what comes later is ignored.
func (s *recorded) End(err error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.data.End = time.Now()
	if err != nil {
		s.data.Error = err.Error()
	}
	data := s.data
	data.Attributes = maps.Clone(data.Attributes)
	s.mu.Unlock()
	s.finished(data)
}

// TraceID is the trace's id, the same for every span of it.
func (s *recorded) TraceID() string { return s.data.TraceID }

func hexID(bytes int) string {
	id := make([]byte, bytes)
	_, _ = rand.Read(id) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(id)
}
