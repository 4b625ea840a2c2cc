package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/internal/dockertest"
	"sandkeeper/internal/env"
)

var shelfDigest = "sha256:" + strings.Repeat("d", 64)

// shelf is an engine whose registry has one image.
func shelf(t *testing.T) (*dockertest.Daemon, *Engine) {
	d := dockertest.Start(t)
	d.Publish("r.example/box:2", dockertest.Published{Digest: shelfDigest, ID: "sha256:" + strings.Repeat("1", 64)})
	return d, dial(t, d)
}

func TestPullable(t *testing.T) {
	d, engine := shelf(t)
	if digest, err := engine.Pullable(t.Context(), "r.example/box:2"); digest != shelfDigest || err != nil {
		t.Errorf("Pullable = %q, %v, want %q", digest, err, shelfDigest)
	}
	if _, err := engine.Pullable(t.Context(), "r.example/box:3"); !errors.Is(err, ErrNotInRegistry) {
		t.Errorf("Pullable of another tag = %v, want ErrNotInRegistry", err)
	}
	if _, err := engine.ImageID(t.Context(), "r.example/box:2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after asking, the image: %v, want that it was not pulled", err)
	}
	before := len(d.Calls())
	for _, id := range []string{"sha256:" + strings.Repeat("1", 64), strings.Repeat("1", 64)} {
		if _, err := engine.Pullable(t.Context(), id); !errors.Is(err, ErrRegistryUnknown) || len(d.Calls()) != before {
			t.Errorf("Pullable of an id = %v, want ErrRegistryUnknown without a call", err)
		}
	}
	d.Break(dockertest.Fault{Call: "GET /distribution/", Times: 1, Status: 200, Body: `{"Descriptor":{}}`})
	if _, err := engine.Pullable(t.Context(), "r.example/box:2"); !errors.Is(err, ErrRegistryUnknown) {
		t.Errorf("an answer without a digest = %v, want ErrRegistryUnknown", err)
	}
	d.Break(dockertest.Fault{Call: "GET /distribution/", Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := engine.Pullable(ctx, "r.example/box:2"); !errors.Is(err, ErrRegistryUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an engine that hangs = %v, want ErrRegistryUnknown and the limit", err)
	}
}

func TestTheDockerCommandsPasswordOpensTheRegistry(t *testing.T) {
	d, _ := shelf(t)
	d.Demand("ann", "s3:cret")
	home := t.TempDir()
	engine, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=" + d.Host(), "HOME=" + home}), Timeout: 20 * time.Second})
	if engine == nil {
		t.Fatal(state)
	}
	defer engine.Close()
	if _, err := engine.Pullable(t.Context(), "r.example/box:2"); !errors.Is(err, ErrRegistryDenied) {
		t.Errorf("without a password: %v, want ErrRegistryDenied", err)
	}
	if err := os.MkdirAll(filepath.Join(home, ".docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker/config.json"), []byte(`{"auths": {"r.example": {"auth": "YW5uOnMzOmNyZXQ="}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if digest, err := engine.Pullable(t.Context(), "r.example/box:2"); digest != shelfDigest || err != nil {
		t.Errorf("with the password: %q, %v", digest, err)
	}
	if pulled, err := engine.Pull(t.Context(), "r.example/box:2", PullOptions{}); pulled.Digest != shelfDigest || err != nil {
		t.Errorf("Pull with the password: %+v, %v", pulled, err)
	}
}

func TestPull(t *testing.T) {
	_, engine := shelf(t)
	var said []int64
	pulled, err := engine.Pull(t.Context(), "r.example/box:2", PullOptions{Progress: func(done, total int64) { said = append(said, done, total) }})
	if want := (Pulled{ID: "sha256:" + strings.Repeat("1", 64), Digest: shelfDigest}); pulled != want || err != nil {
		t.Errorf("Pull = %+v, %v, want %+v", pulled, err, want)
	}
	if diff := cmp.Diff([]int64{1072, 2145, 2145, 2145}, said); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if _, err := engine.Pull(t.Context(), "r.example/box:3", PullOptions{}); !errors.Is(err, ErrNotInRegistry) || !strings.Contains(err.Error(), `pulling image "r.example/box:3"`) {
		t.Errorf("Pull of another tag = %v", err)
	}
}

func TestAPullIsBoundedBySilenceNotByTime(t *testing.T) {
	d, engine := shelf(t)
	d.Break(dockertest.Fault{Call: "POST /images/create", Hang: true, Times: 1})
	start := time.Now()
	_, err := engine.Pull(t.Context(), "r.example/box:2", PullOptions{Stall: 50 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing came for 50ms") || time.Since(start) > 5*time.Second {
		t.Errorf("Pull that hangs = %v after %s", err, time.Since(start))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the operator pressed Ctrl-C")
	d.Break(dockertest.Fault{Call: "POST /images/create", Hang: true})
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if _, err := engine.Pull(ctx, "r.example/box:2", PullOptions{}); !errors.Is(err, why) {
		t.Errorf("Pull that is given up = %v, want the reason", err)
	}
}

func TestWhatAReportSays(t *testing.T) {
	for _, c := range []struct{ report, digest, says string }{
		{"{\"status\":\"Pulling from box\",\"id\":\"2\"}\r\n\r\n{\"status\":\"Digest: sha256:aa\"}\r\n", "sha256:aa", ""},
		{`{"errorDetail":{"message":"download failed"},"error":"download failed"}`, "", "download failed"},
		{`{"error":"only the old field"}`, "", "only the old field"},
		{`{"status":"Digest: sha256:aa"}` + "\n" + `{"errorDetail":{"message":"no space left"}}`, "sha256:aa", "no space left"},
		{"<html>", "", "cannot be read"},
		{`{"status":"` + strings.Repeat("x", reportLine) + `"}`, "", "too long"},
		{"", "", ""},
	} {
		alive := 0
		r := pullReport{alive: func() { alive++ }}
		err := r.read(strings.NewReader(c.report))
		if r.digest != c.digest || (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.80q: digest %q, %v, want %q, %q", c.report, r.digest, err, c.digest, c.says)
		}
		if c.digest != "" && alive < 2 {
			t.Errorf("%.80q: %d signs of life", c.report, alive)
		}
	}
}

func FuzzPullReport(f *testing.F) {
	f.Add([]byte(`{"status":"Downloading","progressDetail":{"current":1072,"total":2145},"id":"3aba1fd02d3d"}`))
	f.Add([]byte(`{"status":"Download complete","progressDetail":{},"id":"3aba1fd02d3d"}`))
	f.Add([]byte(`{"errorDetail":{"message":"x"},"error":"x"}`))
	f.Add([]byte(`{"status":"Downloading","progressDetail":{"current":-1,"total":9223372036854775807},"id":""}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r := pullReport{alive: func() {}, progress: func(done, total int64) {
			if done < 0 || total <= 0 {
				t.Errorf("%d of %d bytes", done, total)
			}
		}}
		if err := r.line(line); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
