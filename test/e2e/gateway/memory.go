package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Memory keeps sandboxes in memory. Commands run on this host with "/sandbox" meaning <Root>/<name>/sandbox.
type Memory struct {
	Root string // one folder per sandbox; "" answers every exec with an error

	mu        sync.Mutex
	sandboxes []Sandbox
}

// NewMemory holds the given sandboxes.
func NewMemory(sandboxes ...Sandbox) *Memory { return &Memory{sandboxes: sandboxes} }

// List answers in the real gateway's order: by creation, then name.
func (m *Memory) List(context.Context) ([]Sandbox, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.sandboxes)
	slices.SortFunc(all, older)
	return all, nil
}

// Create adds a sandbox that is Ready at once.
func (m *Memory) Create(_ context.Context, s Sandbox) (Sandbox, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.index(s.Key()) >= 0 {
		return Sandbox{}, status.Error(codes.AlreadyExists, "sandbox already exists")
	}
	s.ID, s.Phase, s.Created = NewID(), Ready, time.Now()
	m.sandboxes = append(m.sandboxes, s)
	return s, nil
}

// Delete forgets a sandbox.
func (m *Memory) Delete(_ context.Context, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index(key)
	if i < 0 {
		return false, status.Error(codes.NotFound, "sandbox not found")
	}
	m.sandboxes = slices.Delete(m.sandboxes, i, i+1)
	return true, nil
}

// SetPhase puts a sandbox into a phase.
func (m *Memory) SetPhase(_ context.Context, key string, p Phase) (Sandbox, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.index(key)
	if i < 0 {
		return Sandbox{}, status.Error(codes.NotFound, "sandbox not found")
	}
	m.sandboxes[i].Phase = p
	return m.sandboxes[i], nil
}

// Workspaces are the default one and those of the sandboxes.
func (m *Memory) Workspaces(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := []string{defaultWorkspace}
	for _, s := range m.sandboxes {
		all = append(all, s.workspace())
	}
	return all, nil
}

func (m *Memory) index(key string) int {
	return slices.IndexFunc(m.sandboxes, func(s Sandbox) bool { return s.Key() == key })
}

// Exec runs the command here.
func (m *Memory) Exec(ctx context.Context, s Sandbox, e Exec) (int, error) {
	if m.Root == "" || len(e.Argv) == 0 {
		return 0, status.Error(codes.Unavailable, "supervisor relay failed: no supervisor session")
	}
	root := filepath.Join(m.Root, s.Name)
	argv := Rooted(root, e.Argv)
	child := osexec.CommandContext(ctx, argv[0], argv[1:]...)
	child.Dir = filepath.Join(root, "sandbox")
	child.Stdin, child.Stdout, child.Stderr = strings.NewReader(string(e.Stdin)), e.Stdout, e.Stderr
	err := child.Run()
	if exit, ok := errors.AsType[*osexec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// Rooted is a command line in which "/" and "/sandbox…" mean places below root, and programs are those of
// root/usr/local/bin where it has them: for sandboxes that are folders on this host.
func Rooted(root string, argv []string) []string {
	moved := make([]string, len(argv))
	for i, arg := range argv {
		words := strings.Split(arg, " ")
		for j, word := range words {
			if strings.HasPrefix(strings.TrimLeft(word, `'"`), "/sandbox") {
				words[j] = strings.Replace(word, "/sandbox", root+"/sandbox", 1)
			}
		}

		moved[i] = strings.Join(words, " ")
		if arg == "/" {
			moved[i] = root
		}
	}

	if own := filepath.Join(root, "usr/local/bin", filepath.Base(moved[0])); executable(own) {
		moved[0] = own
	}
	return moved
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// NewID is a random id in the form that gateways give sandboxes, a version 4 UUID.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
