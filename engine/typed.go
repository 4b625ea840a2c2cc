package engine

import (
	"strings"

	"sandkeeper/internal/text"
)

// Program is the command that people type to reach an engine, which its identity or the name of its socket tells apart.
// Podman's is told the socket, for every user has a Podman of their own and none of them knows another's containers.
func Program(identity, host string) string {
	return program(strings.HasPrefix(identity, "podman "), host)
}

// Program is the command that people type to reach the engine of c.
func (c Container) Program() string { return program(c.Podman, c.Host) }

func program(podman bool, host string) string {
	switch {
	case !podman && !strings.HasSuffix(host, "/podman.sock"):
		return "docker"
	case host == "":
		return "podman"
	}
	return "podman --remote --url " + text.ShellWord(host)
}
