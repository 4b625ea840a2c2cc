package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/client"
)

// podmanComponent is what Podman calls itself in the Docker-compatible answer to GET /version.
const podmanComponent = "Podman Engine"

// describeLimit is how long an engine may take to say what it is: Podman asks other programs for that, which takes
// seconds on a busy host.
const describeLimit = 30 * time.Second

// Identity names the engine itself, whatever address it is reached at: two engines that took turns behind one socket
// have two. It is asked once for each Engine.
//
// Docker's is the ID of GET /info with its root folder, for old daemons of one host share the ID. Podman makes a new ID
// for every answer, so its identity is this machine's id, the root folder of its storage and the owner of its socket.
// Both are seen in docs/facts/engines.md 3.
func (e *Engine) Identity(ctx context.Context) (string, error) {
	e.naming.Lock()
	defer e.naming.Unlock()
	if e.identity != "" {
		return e.identity, nil
	}
	identity, err := e.askIdentity(ctx)
	if err != nil {
		return "", fmt.Errorf("%s does not say which engine it is: %w", e.host, err)
	}
	e.identity = identity
	return identity, nil
}

func (e *Engine) askIdentity(ctx context.Context) (string, error) {
	ctx, cancel := e.within(ctx, max(e.timeout, describeLimit))
	defer cancel()
	info, err := e.client.Info(ctx)
	if err != nil {
		return "", e.explain(ctx, err)
	}
	podman, err := e.isPodman(ctx)
	if err != nil {
		return "", err
	}
	if info.DockerRootDir == "" {
		return "", errors.New("its answer has no root folder")
	}
	if podman {
		return e.podmanIdentity(info.Name, info.DockerRootDir)
	}
	if info.ID == "" {
		return "", errors.New("its answer has no ID")
	}
	return strings.Join([]string{"docker", info.ID, info.DockerRootDir}, " "), nil
}

// isPodman asks once which product the engine is.
func (e *Engine) isPodman(ctx context.Context) (bool, error) {
	e.asking.Lock()
	defer e.asking.Unlock()
	if e.product != "" {
		return e.product == podmanComponent, nil
	}
	ctx, cancel := e.within(ctx, max(e.timeout, describeLimit))
	defer cancel()
	version, err := e.client.ServerVersion(ctx)
	if err != nil {
		return false, fmt.Errorf("%s does not say what it is: %w", e.host, e.explain(ctx, err))
	}
	e.product = "Docker"
	if slices.ContainsFunc(version.Components, func(part types.ComponentVersion) bool { return part.Name == podmanComponent }) {
		e.product = podmanComponent
	}
	return e.product == podmanComponent, nil
}

// podmanIdentity is that of a Podman on this host. A Podman elsewhere goes by its host's name and its address.
func (e *Engine) podmanIdentity(name, root string) (string, error) {
	address, err := client.ParseHostURL(e.host)
	if err != nil {
		return "", err
	}
	if address.Scheme != "unix" {
		return strings.Join([]string{"podman", name, root, e.host}, " "), nil
	}
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	socket, err := os.Stat(address.Host + address.Path)
	if err != nil {
		return "", err
	}
	owner := "?"
	if stat, ok := socket.Sys().(*syscall.Stat_t); ok {
		owner = strconv.Itoa(int(stat.Uid))
	}
	return strings.Join([]string{"podman", strings.TrimSpace(string(machine)), root, owner}, " "), nil
}
