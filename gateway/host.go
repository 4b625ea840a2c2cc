package gateway

import (
	"os"
	"path/filepath"
	"strconv"

	"sandkeeper/openshell"
)

// hostFacts looks for what this host has to act on the gateway t with. It only looks; nothing is run.
func (o Options) hostFacts(t Target) Host {
	nemoclaw, active := o.program("nemoclaw"), openshell.ActiveGateway(o.Env)
	h := Host{
		CallNemoClaw: o.called("nemoclaw", nemoclaw), OtherActive: active != t.Name && (active != "" || t.Endpoint != ""),
		Root: o.UID == rootUser, NemoClaw: nemoclaw, Managed: o.managed(t), Brew: o.brew(),
		Snap: exists(o.system("/snap/openshell/current")) || exists(o.system("/var/lib/snapd/snap/openshell/current")),
	}
	h.Start = o.start(t, h)
	return h
}

// rootUser may do everything, and owns what a package manager installs.
const rootUser = 0

// AsRoot is what a person types so that root runs the command.
func (h Host) AsRoot(command string) string {
	if h.Root {
		return command
	}
	return "sudo " + command
}

// program is the first executable file of that name on PATH or in the standard folders.
func (o Options) program(name string) string {
	dirs := filepath.SplitList(o.Env.Get("PATH"))
	if home := o.Env.Home(); home != "" {
		dirs = append(dirs, filepath.Join(home, ".local/bin"))
	}
	for _, dir := range []string{"/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"} {
		dirs = append(dirs, o.system(dir))
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && executable(path) {
			return path
		}
	}

	return ""
}

// called is what a person types to run the program of that name that is at path: the name, where PATH leads to it.
func (o Options) called(name, path string) string {
	for _, dir := range filepath.SplitList(o.Env.Get("PATH")) {
		first := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && executable(first) {
			if first == filepath.Clean(path) {
				return name
			}
			break
		}
	}
	return path
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// managed reports whether NemoClaw has state of this gateway: its folder, or its registry (docs/facts/nemoclaw.md 1.1
// and 1.2).
func (o Options) managed(t Target) bool {
	port, ok := nemoclawPort(t.Name)
	if !ok || o.Env.Home() == "" {
		return false
	}
	root := filepath.Join(o.Env.Home(), ".nemoclaw")
	if port != NemoClawPort {
		root = filepath.Join(root, "gateways", strconv.Itoa(port))
	}
	dir, _ := o.stateDir(t)
	return exists(filepath.Join(root, "sandboxes.json")) || dir != "" && exists(dir)
}

func brewPrefixes() []string {
	return []string{"/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"}
}

// brew is the brew that has the openshell formula installed.
func (o Options) brew() string {
	for _, prefix := range brewPrefixes() {
		command := o.system(filepath.Join(prefix, "bin/brew"))
		if exists(o.system(filepath.Join(prefix, "opt/openshell"))) && exists(command) {
			return command
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
