package dockertest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"
)

// Fault makes the daemon misbehave for the calls that it matches.
type Fault struct {
	Call   string        // beginning of the call as Calls shows it: "GET /containers/json"; "" is every call
	Skip   int           // how many matching calls go well first
	Times  int           // how many calls it strikes; 0 is all
	Delay  time.Duration // wait before anything else
	Hang   bool          // never answer
	Status int           // answer with this status and Body
	Body   string
	Cut    int           // > 0: break the connection after so many bytes of the answer's body
	GoesOn []byte        // sent again and again behind the answer, until the client hangs up
	Every  time.Duration // and this is how long apart
}

// Break adds a fault. Of several that match a call, the first one added strikes.
func (d *Daemon) Break(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &f)
}

// Heal takes all faults away.
func (d *Daemon) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

var versionPrefix = regexp.MustCompile(`^/v1\.[0-9]+/`)

// faulty logs every call and strikes it with the fault that matches.
func (d *Daemon) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := d.refusesVersion(r.URL.Path); why != "" {
			refuse(w, http.StatusBadRequest, why)
			return
		}
		r.URL.Path, r.URL.RawPath = versionPrefix.ReplaceAllString(r.URL.Path, "/"), ""
		call := r.Method + " " + r.URL.RequestURI()
		fault := d.logged(call)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		if !d.wait(r, *fault) {
			return
		}
		if fault.Cut > 0 {
			w = &cutWriter{ResponseWriter: w, left: fault.Cut}
		}
		if fault.Status == 0 {
			next.ServeHTTP(w, r)
			d.goOn(w, r, *fault)
			return
		}
		if strings.HasPrefix(fault.Body, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(fault.Status)
		_, _ = w.Write([]byte(fault.Body))
	})
}

// refusesVersion says why a request's version of the API is not spoken, in the words of moby's version middleware; ""
// when it is.
func (d *Daemon) refusesVersion(path string) string {
	asked := strings.TrimPrefix(strings.Trim(versionPrefix.FindString(path), "/"), "v")
	switch oldest, newest := d.api(); {
	case asked == "":
	case versions.GreaterThan(asked, newest):
		return fmt.Sprintf("client version %s is too new. Maximum supported API version is %s", asked, newest)
	case versions.LessThan(asked, oldest):
		return fmt.Sprintf("client version %s is too old. Minimum supported API version is %s, please upgrade your client to a newer version", asked, oldest)
	}
	return ""
}

func (d *Daemon) logged(call string) *Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, call)
	for _, f := range d.faults {
		if f.Times < 0 || !strings.HasPrefix(call, f.Call) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			return nil
		}
		struck := *f
		if f.Times == 1 {
			f.Times = -1 // spent
		}
		if f.Times > 1 {
			f.Times--
		}
		return &struck
	}

	return nil
}

// wait reports whether an answer is to be given after all.
func (d *Daemon) wait(r *http.Request, f Fault) bool {
	var after <-chan time.Time
	if !f.Hang {
		after = time.After(f.Delay)
	}
	select {
	case <-after:
		return true
	case <-r.Context().Done():
	case <-d.done:
	}
	return false
}

// goOn sends on behind an answer that was whole.
func (d *Daemon) goOn(w http.ResponseWriter, r *http.Request, f Fault) {
	for len(f.GoesOn) > 0 && r.Context().Err() == nil && d.wait(r, Fault{Delay: f.Every}) {
		if _, err := w.Write(f.GoesOn); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // what cannot be flushed comes later
	}
}

// cutWriter breaks the connection when its bytes are used up.
type cutWriter struct {
	http.ResponseWriter
	left int
}

// Write is io.Writer.
func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) < w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}
