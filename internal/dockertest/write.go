package dockertest

import "slices"

// Write gives the regular file at path in a container new content, as a process in the sandbox would.
func (d *Daemon) Write(ref, path string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.find(ref)
	if c == nil {
		return
	}
	i := slices.IndexFunc(c.Files, func(f File) bool { return f.Path == path })
	if i < 0 {
		c.Files = append(c.Files, File{Path: path, Data: data})
		return
	}
	c.Files[i].Data = data
}

// Drop removes a container, as another program would.
func (d *Daemon) Drop(ref string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.find(ref); c != nil {
		delete(d.containers, c.ID)
	}
}
