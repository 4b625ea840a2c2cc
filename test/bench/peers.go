package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// tool is one of the programs that people save plain files with.
type tool struct {
	name   string
	folder string // where it keeps them
	init   step
	save   func(name, path string) step
	check  step
	back   string // the command that restores the newest backup to the present folder
}

// tools are those that are installed. Each keeps a repository of that name.
func (s *saving) tools(r *section, repository string) []tool {
	var found []tool
	for _, t := range []tool{s.restic(repository), s.borg(repository)} {
		if installed(t.name) {
			found = append(found, t)
		} else {
			r.lacks(t.name, "it is not installed")
		}
	}
	return found
}

func (s *saving) restic(repository string) tool {
	folder := filepath.Join(s.dir, "restic-"+repository)
	env := append(os.Environ(), "RESTIC_PASSWORD=bench", "RESTIC_REPOSITORY="+folder, "RESTIC_CACHE_DIR="+folder+"-cache")
	call := func(name string, args ...string) step {
		return step{name: name, argv: append([]string{"restic", "-q"}, args...), env: env}
	}
	return tool{
		name: "restic", folder: folder, init: again(call("restic init", "init"), folder, folder+"-cache"),
		save:  func(name, path string) step { return call(name, "backup", path) },
		check: call("restic check --read-data", "check", "--read-data"), back: "restic -q restore latest --target .",
	}
}

func (s *saving) borg(repository string) tool {
	folder := filepath.Join(s.dir, "borg-"+repository)
	env := append(os.Environ(), "BORG_REPO="+folder, "BORG_BASE_DIR="+folder+"-base",
		"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK=yes")
	call := func(name string, args ...string) step {
		return step{name: name, argv: append([]string{"borg"}, args...), env: env}
	}
	return tool{
		name: "borg", folder: folder, init: again(call("borg init", "init", "-e", "none"), folder, folder+"-base"),
		save: func(name, path string) step {
			return call(name, "create", "-C", "zstd,1", "::{utcnow:%s.%f}", path)
		},
		check: call("borg check --verify-data", "check", "--verify-data"), back: "borg extract ::$(borg list --short --last 1)",
	}
}

// restoring is a step that restores the newest backup to the scratch folder.
func (s *saving) restoring(name string, t tool) step {
	back := shell(name, fmt.Sprintf("cd %s; %s; sync -f .", s.scratch, t.back))
	back.env, back.before, back.after = t.init.env, s.newScratch, s.dropScratch
	return back
}

// dropTools removes the repositories.
func dropTools(tools []tool) error {
	for _, t := range tools {
		for _, path := range []string{t.folder, t.folder + "-cache", t.folder + "-base"} {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return nil
}
