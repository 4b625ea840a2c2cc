package schedule

import (
	"fmt"
	"strings"
)

// quoted is a word in quotes as systemd reads them (systemd.syntax(7), systemd.service(5)): percent signs are
// specifiers, and in a command line a dollar sign is a variable.
func quoted(word string, command bool) string {
	replace := []string{`\`, `\\`, `"`, `\"`, "%", "%%", "\n", `\n`}
	if command {
		replace = append(replace, "$", "$$")
	}
	return `"` + strings.NewReplacer(replace...).Replace(word) + `"`
}

func commandLine(words ...string) string {
	for i, word := range words {
		words[i] = quoted(word, true)
	}
	return strings.Join(words, " ")
}

// units are the service and the timer of a job, for the folder dir. The timer catches up after the machine was off.
func (j Job) units(dir string) []File {
	var service strings.Builder
	fmt.Fprintf(&service, "# %s\n[Unit]\nDescription=%s\nDocumentation=man:sandkeeper(1)\n\n[Service]\nType=oneshot\n", Mark, strings.ReplaceAll(j.Description, "%", "%%"))
	for _, each := range j.Environment {
		fmt.Fprintf(&service, "Environment=%s\n", quoted(each, false))
	}
	fmt.Fprintf(&service, "ExecStart=%s\n", commandLine(append([]string{j.Program}, j.Args...)...))
	fmt.Fprintf(&service, "# A run that was killed with all its helpers may have left something half done: any command looks after that first.\nExecStopPost=-%s\n",
		commandLine(j.Program, "backups", "list", "--quiet"))
	service.WriteString("Nice=10\nIOSchedulingClass=idle\n")

	delay := "5min"
	if j.When.Every > 0 {
		delay = "1min"
	}
	timer := fmt.Sprintf("# %s\n[Unit]\nDescription=%s: %s\nDocumentation=man:sandkeeper(1)\n\n[Timer]\nOnCalendar=%s\nRandomizedDelaySec=%s\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
		Mark, strings.ReplaceAll(j.Description, "%", "%%"), j.When.Words(), j.When.calendar(), delay)
	return []File{fileIn(dir, j.Name+".service", service.String()), fileIn(dir, j.Name+".timer", timer)}
}
