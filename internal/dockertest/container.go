package dockertest

import (
	"archive/tar"
	"path"
	"slices"
	"strings"
	"time"
)

// Container is one container of a Daemon, with the files that it holds.
type Container struct {
	ID      string
	Name    string
	Labels  map[string]string
	Image   string
	ImageID string
	Workdir string   // WORKDIR of its image
	Env     []string // NAME=VALUE
	Command []string // program and arguments of its main process; none is a shell
	State   string   // "running", "paused", "exited", "created", …
	Created time.Time
	Started time.Time // the last time; zero is never
	Mounts  []Mount
	Ports   map[string][]string // "8080/tcp" → host ports
	OnHost  bool                // on the host's own network
	Files   []File
	// Exec answers commands; nil answers every one with exit status 127.
	Exec func(argv []string) (stdout, stderr string, exit int)
}

// Mount is one mount of a container.
type Mount struct {
	Type, Name, Source, Destination string
}

// File is one file, folder, link or device. Folders on the way to it exist by themselves, with mode 0755.
type File struct {
	Path    string // absolute
	Type    byte   // tar.TypeReg, TypeDir, TypeSymlink, TypeLink, TypeFifo, …; 0 is a regular file
	Mode    int64  // permission bits; 0 is 0644, or 0755 for a folder
	UID     int
	GID     int
	ModTime time.Time // zero is the container's creation
	Data    []byte
	Link    string            // target of a symbolic link as written; absolute path of the first name of a hard link
	PAX     map[string]string // extended attributes: "SCHILY.xattr.user.note"
}

func (c *Container) fill(n int) {
	if c.ID == "" {
		c.ID = hexID("c", n)
	}
	if c.Name == "" {
		c.Name = "container-" + c.ID[60:]
	}
	if c.State == "" {
		c.State = "running"
	}
	if c.Created.IsZero() {
		c.Created = time.Date(2026, 11, 1, 12, 0, n%60, 0, time.UTC)
	}
	if c.Started.IsZero() && c.State != "created" {
		c.Started = c.Created
	}
	if c.ImageID == "" {
		c.ImageID = "sha256:" + hexID("1", n)
	}
	for i := range c.Files {
		c.Files[i].fill(c.Created)
	}
}

func (f *File) fill(born time.Time) {
	f.Path = path.Clean("/" + f.Path)
	if f.Type == 0 {
		f.Type = tar.TypeReg
	}
	if f.Mode == 0 {
		f.Mode = map[byte]int64{tar.TypeDir: 0o755, tar.TypeSymlink: 0o777}[f.Type]
	}
	if f.Mode == 0 {
		f.Mode = 0o644
	}
	if f.ModTime.IsZero() {
		f.ModTime = born
	}
}

// at is the file at an absolute path, symbolic links not followed; nil when there is none.
func (c *Container) at(name string) *File {
	for i := range c.Files {
		if c.Files[i].Path == name {
			return &c.Files[i]
		}
	}

	below := strings.TrimSuffix(name, "/") + "/"
	held := slices.ContainsFunc(c.Files, func(f File) bool { return strings.HasPrefix(f.Path, below) })
	if held || name == "/" {
		folder := &File{Path: name, Type: tar.TypeDir}
		folder.fill(c.Created)
		return folder
	}

	return nil
}

// below are name and everything under it, sorted as a walk visits them; folders that exist by themselves are in it.
func (c *Container) below(name string) []File {
	found := map[string]File{name: *c.at(name)}
	prefix := strings.TrimSuffix(name, "/") + "/"
	for _, f := range c.Files {
		if !strings.HasPrefix(f.Path, prefix) {
			continue
		}
		found[f.Path] = f
		for dir := path.Dir(f.Path); dir != name && strings.HasPrefix(dir, prefix); dir = path.Dir(dir) {
			found[dir] = *c.at(dir)
		}
	}

	sorted := make([]File, 0, len(found))
	for _, f := range found {
		sorted = append(sorted, f)
	}
	slices.SortFunc(sorted, func(a, b File) int { return strings.Compare(walkKey(a.Path), walkKey(b.Path)) })
	return sorted
}

// walkKey sorts a folder's content right behind it: "/" must come before every other character of a name.
func walkKey(name string) string { return strings.ReplaceAll(name, "/", "\x00") }

// put adds or replaces a file. One that is no folder replaces a folder with all that is in it, as Docker's unpacking
// does.
func (c *Container) put(f File) {
	f.fill(c.Created)
	if f.Type != tar.TypeDir {
		c.Files = slices.DeleteFunc(slices.Clone(c.Files), func(have File) bool { return strings.HasPrefix(have.Path, f.Path+"/") })
	}
	for i := range c.Files {
		if c.Files[i].Path == f.Path {
			c.Files[i] = f
			return
		}
	}

	c.Files = append(c.Files, f)
}
