package gateway

import (
	"io/fs"
	"os"
	"sync"

	"sandkeeper/internal/command"
)

// asked are the programs whose version was asked for in one observation. The program that serves and the one that would
// be started next are mostly one file, which is then run once for both.
type asked struct {
	mutex    sync.Mutex
	programs []program
}

// program is an open file, and what it answers when it is run under a path.
type program struct {
	path   string
	file   fs.FileInfo
	answer func() (command.Result, error)
}

// once gives the answer of file, which is called path, and runs it unless that has begun already.
func (a *asked) once(file *os.File, path string, run func() (command.Result, error)) (command.Result, error) {
	info, err := file.Stat()
	if a == nil || err != nil {
		return run()
	}
	return a.program(program{path, info, sync.OnceValues(run)}).answer()
}

// program is p, or the one that was asked before and is the same.
func (a *asked) program(p program) program {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, before := range a.programs {
		if before.same(p) {
			return before
		}
	}
	a.programs = append(a.programs, p)
	return p
}

// same reports whether p and q are one file with one content, run under one path.
func (p program) same(q program) bool {
	return p.path == q.path && os.SameFile(p.file, q.file) && p.file.Size() == q.file.Size() && p.file.ModTime().Equal(q.file.ModTime())
}
