package cmd

import (
	"sandkeeper/backup/archive"
	"sandkeeper/backup/restore"
	"sandkeeper/internal/size"
	"sandkeeper/internal/text"
)

// renderRestore says what was done, or would be, and what is not back.
func renderRestore(term *terminal, s restore.Summary) {
	for _, warning := range s.Warnings {
		term.printf("warning: %s", warning)
	}
	if s.DryRun {
		renderPaths(term, "would add", s.Added)
		renderPaths(term, "would change", s.Changed)
		renderPaths(term, "would remove", s.Removed)
	}

	renderPaths(term, "left as it is, not whole in the backup", s.Kept)
	renderPaths(term, "left as it is, something is mounted there", s.Mounted)
	for _, e := range s.Missing {
		term.printf("to be entered again: %s (%s)", e.Path, e.Reason)
	}
	switch {
	case s.DryRun:
		term.printf("Dry run: backup %s of %s into %s: %d to add, %d to change, %d to remove. %s",
			s.Backup, s.From, s.Address(), len(s.Added), len(s.Changed), len(s.Removed), term.nothing("changed"))
	case s.Done:
		term.printf("Restored %s from backup %s: %s, %s, read back and compared.", s.Address(), s.Backup, fileCount(s.Files), size.Text(s.Bytes))
	}

	for _, x := range s.Inexact {
		term.printf("not as in the backup, for the container engine cannot write it: %d %s", *x.Entries, unwritten(x.Kind))
	}
	if s.DownMs > 0 {
		term.printf("The sandbox was stopped for %.1f s.", float64(s.DownMs)/1000)
	}
	if s.Previous != "" {
		term.printf("What was there before is kept as backup %s.", s.Previous)
		if s.KeptIn != "" {
			term.printf("It is in %s: sandkeeper restore %s --backup %s --backup-dir %s puts it back.", s.KeptIn, s.Address(), s.Previous, text.ShellWord(s.KeptIn))
		}
	}
}

// unwritten says of a kind what became of it.
func unwritten(kind string) string {
	switch kind {
	case archive.InexactHoles:
		return "file(s) with holes, which take their whole size on the disk now"
	case archive.InexactEarlyTimes:
		return "time(s) before 1970, which are 1970-01-01 now"
	case archive.InexactTwins:
		return "symbolic link(s) with the same file as another, which are files of their own now"
	}
	return kind
}

// pathsShown is how many paths of one kind are printed; JSON has all of them.
const pathsShown = 20

func renderPaths(term *terminal, what string, paths []string) {
	for i, path := range paths {
		if i == pathsShown {
			term.printf("%s: %d more (--json lists all)", what, len(paths)-i)
			return
		}
		term.printf("%s: %s", what, path)
	}
}

// renderRecreated says what was made again, and what is not in it.
func renderRecreated(term *terminal, s restored) {
	made := s.Recreated
	for _, warning := range s.Warnings {
		term.printf("warning: %s", warning)
	}
	for _, e := range s.Missing {
		term.printf("to be entered again: %s (%s)", e.Path, e.Reason)
	}
	for _, name := range made.Withheld {
		term.printf("to be entered again: the variable %s (its value was taken out of the recipe)", name)
	}
	if s.DryRun {
		verb := "would make"
		if made.Resumed {
			verb = "would go on making"
		}
		term.printf("Dry run: %s sandbox %s on gateway %s from image %s, put %s, %s, of backup %s into %s, and leave it %s. %s",
			verb, s.Address(), made.Gateway, orDash(made.Image), fileCount(s.Files), size.Text(s.Bytes), s.Backup, s.Home, leftAs(made.Running), term.nothing("changed"))
		return
	}

	if s.Done {
		term.printf("Recreated %s on gateway %s from image %s (id %s), and left it %s.", s.Address(), made.Gateway, orDash(made.Image), made.ID, leftAs(made.Running))
		term.printf("Its home is that of backup %s: %s, %s, read back and compared.", s.Backup, fileCount(s.Files), size.Text(s.Bytes))
	}
}

func leftAs(running bool) string {
	if running {
		return "running"
	}
	return "stopped"
}
