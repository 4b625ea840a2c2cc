package classify

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/sandboxname"
)

// manifestLimit is far more than any agent manifest has.
const manifestLimit = 1 << 20

// Agent is what is expected of one kind of agent.
type Agent struct {
	Expected string   // version; "" when neither NemoClaw nor the config pins one
	Scheme   string   // "calendar" or "semver" where the manifest says so
	Argv     []string // prints the version inside a sandbox; nil is "<name> --version"
}

// Agents are the agents whose expected version is known, and what was in the way of knowing more.
type Agents struct {
	ByName   map[string]Agent
	Problems []string
}

func (a Agent) scheme() string {
	if a.Scheme != "" {
		return a.Scheme
	}
	return scheme(a.Expected)
}

// argv is the version command of the agent called name. The name comes out of a registry: only a clean one becomes a
// command.
func (a Agent) argv(name string) []string {
	if len(a.Argv) > 0 {
		return a.Argv
	}
	if sandboxname.Check(name) != nil {
		return nil
	}
	return []string{name, "--version"}
}

// AgentRoots are the folders that may hold NemoClaw's agent manifests, best first: the package that the nemoclaw
// command (an absolute path, or "") really lives in, then the checkout that NemoClaw's installer keeps.
func AgentRoots(e env.Env, nemoclaw string) []string {
	var roots []string
	if real, err := filepath.EvalSymlinks(nemoclaw); nemoclaw != "" && err == nil {
		// bin/nemoclaw.js, or deeper in a build folder; never as far up as the file system's root.
		dir := filepath.Dir(real)
		for range 4 {
			if dir == filepath.Dir(dir) {
				break
			}
			roots = append(roots, filepath.Join(dir, "agents"))
			dir = filepath.Dir(dir)
		}
	}

	if home := e.Home(); home != "" {
		roots = append(roots, filepath.Join(home, ".nemoclaw", "source", "agents"))
	}
	return slices.Compact(roots)
}

// ReadAgents reads the manifests of the first root that has any; configured (agent name → expected version) fills in
// what they leave open.
func ReadAgents(e env.Env, roots []string, configured map[string]string) Agents {
	agents := Agents{ByName: map[string]Agent{}}
	for _, root := range roots {
		if agents.readRoot(e.Home(), root) {
			break
		}
	}

	for _, name := range slices.Sorted(maps.Keys(configured)) {
		if agent := agents.ByName[name]; agent.Expected == "" && configured[name] != "" {
			agent.Expected = configured[name]
			agents.ByName[name] = agent
		}
	}
	return agents
}

// readRoot reports whether root holds at least one manifest, readable or not: then it is NemoClaw's, and no other is
// looked at.
func (a *Agents) readRoot(home, root string) (found bool) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		path := filepath.Join(root, entry.Name(), "manifest.yaml")
		agent, err := readManifest(home, path)
		if errors.Is(err, fs.ErrNotExist) || !entry.IsDir() {
			continue
		}
		found = true
		if err != nil {
			a.Problems = append(a.Problems, fmt.Sprintf("agent manifest %s: %v", path, err))
			continue
		}
		a.ByName[entry.Name()] = agent
	}
	return found
}

func readManifest(home, path string) (Agent, error) {
	content, err := homefile.Read(home, path, manifestLimit)
	if err != nil {
		return Agent{}, err
	}
	return parseManifest(content)
}

// parseManifest reads the few keys of agents/<agent>/manifest.yaml that a check needs.
func parseManifest(content []byte) (Agent, error) {
	var m struct {
		Expected string `yaml:"expected_version"`
		Scheme   string `yaml:"version_scheme"`
		Command  string `yaml:"version_command"`
	}
	if err := yaml.Unmarshal(content, &m); err != nil {
		return Agent{}, err
	}
	if m.Scheme != "calendar" && m.Scheme != "semver" {
		m.Scheme = ""
	}
	agent := Agent{Expected: strings.TrimSpace(m.Expected), Scheme: m.Scheme}
	if !strings.ContainsAny(m.Command, "'\"`$|&;<>(){}\\*?\n") { // anything a shell would read differently is not for us to run
		agent.Argv = strings.Fields(m.Command)
	}
	return agent, nil
}
