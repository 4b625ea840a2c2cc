//go:build !linux

package command

import "os/exec"

// runFile leaves child alone: only Linux runs an open file.
func (Command) runFile(*exec.Cmd) {}
