package powercut

import (
	"os"
	"path/filepath"
	"sync/atomic"

	"sandkeeper/internal/disk"
)

// Process is the disk as one process reaches it. Once that is dead, none of its calls does anything, or comes back.
type Process struct {
	disk *Disk
	real disk.Real
	made atomic.Int64 // calls
	last int64        // the call at which it dies; 0: it does not
	dead atomic.Bool
	die  func() // never comes back
}

// Process is one that dies at its n-th call; 0 is never. die is called then, and does not come back.
func (d *Disk) Process(n int, die func()) *Process {
	return &Process{disk: d, last: int64(n), die: die}
}

// Calls is how many calls it has made.
func (p *Process) Calls() int { return int(p.made.Load()) }

// Kill ends the process.
func (p *Process) Kill() {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	p.dead.Store(true)
}

// enter lets one call through at a time, and none of the dead.
func (p *Process) enter() (leave func()) {
	if p.made.Add(1) == p.last {
		p.Kill()
		p.die()
	}
	p.disk.mu.Lock()
	if p.dead.Load() {
		p.disk.mu.Unlock()
		select {}
	}
	return p.disk.mu.Unlock
}

// Mkdir is disk.FS.
func (p *Process) Mkdir(name string) error {
	defer p.enter()()
	err := p.real.Mkdir(name)
	if err == nil {
		p.disk.note(change{kind: "mkdir", to: name})
	}
	return err
}

// Create is disk.FS.
func (p *Process) Create(name string) (disk.File, error) {
	defer p.enter()()
	f, err := p.real.Create(name)
	if err != nil {
		return nil, err
	}
	p.disk.note(change{kind: "create", to: name})
	p.disk.written(name)
	return &file{f, p, inode(name)}, nil
}

// Link is disk.FS.
func (p *Process) Link(from, to string) error {
	defer p.enter()()
	err := p.real.Link(from, to)
	if err == nil {
		p.disk.note(change{kind: "link", to: to})
	}
	return err
}

// Rename is disk.FS.
func (p *Process) Rename(from, to string) error {
	defer p.enter()()
	p.disk.note(change{kind: "rename", from: from, to: to})
	err := p.real.Rename(from, to)
	if err != nil {
		p.disk.log = p.disk.log[:len(p.disk.log)-1]
	}
	return err
}

// Remove is disk.FS.
func (p *Process) Remove(name string) error {
	defer p.enter()()
	if _, err := os.Lstat(name); err != nil {
		return err
	}
	p.disk.note(change{kind: "remove", to: name})
	err := p.real.Remove(name)
	if err != nil {
		p.disk.log = p.disk.log[:len(p.disk.log)-1]
	}
	return err
}

// SyncDir is disk.FS.
func (p *Process) SyncDir(name string) error {
	defer p.enter()()
	p.disk.syncedFolder(filepath.Clean(name))
	return nil
}

// Watch is a journal.Watch: it is told of a renaming and of a removal before they are made, of all else when it is
// done.
func (p *Process) Watch(what string, paths ...string) {
	defer p.enter()()
	d := p.disk
	switch what {
	case "mkdir", "create":
		d.note(change{kind: what, to: paths[0]})
	case "write":
		d.written(paths[0])
	case "sync":
		d.syncedFile(paths[0])
	case "rename":
		d.note(change{kind: what, from: paths[0], to: paths[1]})
	case "remove":
		if inode(paths[0]) != 0 {
			d.note(change{kind: what, to: paths[0]})
		}
	case "sync folder":
		d.syncedFolder(paths[0])
	}
}

type file struct {
	disk.File
	p     *Process
	inode uint64
}

// Write is disk.File.
func (f *file) Write(b []byte) (int, error) {
	defer f.p.enter()()
	return f.File.Write(b)
}

// Sync is disk.File.
func (f *file) Sync() error {
	defer f.p.enter()()
	if l := f.p.disk.loose[f.inode]; l != nil {
		if info, err := l.file.Stat(); err == nil {
			l.synced = info.Size()
		}
	}
	return nil
}

// Close is disk.File.
func (f *file) Close() error {
	defer f.p.enter()()
	return f.File.Close()
}
