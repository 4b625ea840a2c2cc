//go:build !linux

package restore

import (
	"io/fs"
	"os"
)

// Only Linux has overlay file systems: elsewhere the engine runs in a machine of its own, and is asked.

func hidesLower(*os.Root) (bool, error) { return false, errLayered }

func redirected(*os.File) (bool, error) { return false, errLayered }

func traitOf(fs.FileInfo) (entryFacts, error) { return entryFacts{}, errLayered }
