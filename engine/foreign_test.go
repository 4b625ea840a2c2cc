package engine

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/internal/env"
)

// A socket behind which something else answers is told in words, not as the URL and the parser's complaint of a library.
func TestAForeignSocketIsNoEngine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) // before it is asked, as SSH does
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	_, state := Dial(t.Context(), Dialing{Env: env.Parse([]string{"DOCKER_HOST=unix://" + path})})
	if want := "what answers there is no container engine"; !strings.Contains(state.Why, want) || strings.Contains(state.Why, "%2F") {
		t.Errorf("why = %q, want %q in it", state.Why, want)
	}
}
