package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sandkeeper/internal/pattern"
	"sandkeeper/internal/trust"
)

// Realm is Processes. A process is foreign when its process, user or network namespace is not ours, or when its root is
// not ours and its file is none of this host's. Another mount namespace alone proves nothing: the packaged unit has
// PrivateTmp=true.
func (hostProcesses) Realm(_ context.Context, pid int) Realm {
	dir := procDir(pid)
	seen, err := realmOf(dir)
	for _, thread := range threads(pid) { // a process whose first thread has ended shows its namespaces in the others
		if err == nil {
			break
		}
		dir = thread
		seen, err = realmOf(dir)
	}

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Realm{Kind: Unseen, Why: fmt.Sprintf("process %d ended while it was looked at", pid)}
	case err != nil:
		return Realm{Kind: Unseen, Why: fmt.Sprintf("where process %d lives cannot be seen: %s", pid, clean(err))}
	case seen != "":
		return Realm{Kind: Foreign, Why: fmt.Sprintf("process %d %s", pid, seen), Container: containerOf(pid)}
	}

	realm := Realm{Kind: Ours}
	group, _ := os.ReadFile(filepath.Join(procDir(pid), "cgroup"))
	realm.Unit, realm.UserUnit = unitOfGroup(string(group))
	return realm
}

// realmOf says what is not ours about the process or thread at dir of /proc; "" when all is.
func realmOf(dir string) (foreign string, err error) {
	for _, space := range []struct{ file, word string }{{"pid", "process"}, {"user", "user"}, {"net", "network"}} {
		same, err := sameFile(filepath.Join(dir, "ns", space.file), filepath.Join("/proc/self/ns", space.file))
		if err != nil {
			return "", err
		}
		if !same {
			return fmt.Sprintf("is in another %s namespace, as a container's is", space.word), nil
		}
	}

	same, err := sameFile(filepath.Join(dir, "root"), "/")
	if err != nil || same || imageIsOurs(dir) {
		return "", err
	}
	return "has another root folder, and its file is none of this host's", nil
}

// containerID is how Docker, containerd and Podman name the control group of a container: docker-ID.scope, /docker/ID,
// libpod-ID.scope.
var containerID = pattern.Of(`[0-9a-f]{64}`)

// containerOf is the id of the container in whose control group a process is.
func containerOf(pid int) string {
	content, err := os.ReadFile(filepath.Join(procDir(pid), "cgroup"))
	if err != nil {
		return ""
	}
	return containerID().FindString(string(content))
}

// imageIsOurs reports whether the file that the process runs is the very file that its path leads to on this host,
// where nobody but root could have put it: a snap's process has a root of its own and runs a file of the host's.
func imageIsOurs(dir string) bool {
	link, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil || trust.Executable(strings.TrimSuffix(link, " (deleted)"), rootUser) != nil {
		return false
	}
	same, err := sameFile(filepath.Join(dir, "exe"), link)
	return err == nil && same
}

func sameFile(one, other string) (bool, error) {
	first, err := os.Stat(one)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(other)
	if err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

func procDir(pid int) string { return filepath.Join("/proc", strconv.Itoa(pid)) }
