package command

import (
	"os"
	"os/exec"
)

// inherited is where the child finds the first of its extra files. A script needs it open: its interpreter opens this
// path again.
const inherited = "/proc/self/fd/3"

// runFile makes child run c.File, called c.Path.
func (c Command) runFile(child *exec.Cmd) {
	if c.File != nil {
		child.Path, child.ExtraFiles = inherited, []*os.File{c.File}
	}
}
