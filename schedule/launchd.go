package schedule

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// labelPrefix begins the labels of launchd's jobs.
const labelPrefix = "local."

// plist is the job for launchd (launchd.plist(5)), for the folder dir. What it prints goes to log.
func (j Job) plist(dir, log string) File {
	var b strings.Builder
	text := func(value string) string {
		var escaped strings.Builder
		_ = xml.EscapeText(&escaped, []byte(value)) // a builder takes everything
		return escaped.String()
	}
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- %s -->\n", Mark)
	b.WriteString("<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>\n")
	fmt.Fprintf(&b, "<key>Label</key><string>%s</string>\n<key>ProgramArguments</key><array>\n", text(labelPrefix+j.Name))
	for _, word := range append([]string{j.Program}, j.Args...) {
		fmt.Fprintf(&b, "<string>%s</string>\n", text(word))
	}
	b.WriteString("</array>\n<key>EnvironmentVariables</key><dict>\n")
	for _, each := range j.Environment {
		name, value, _ := strings.Cut(each, "=")
		fmt.Fprintf(&b, "<key>%s</key><string>%s</string>\n", text(name), text(value))
	}
	b.WriteString("</dict>\n")
	if j.When.Every > 0 {
		fmt.Fprintf(&b, "<key>StartInterval</key><integer>%d</integer>\n", int(j.When.Every.Seconds()))
	} else {
		b.WriteString("<key>StartCalendarInterval</key><dict>")
		if j.When.Weekly {
			b.WriteString("<key>Weekday</key><integer>0</integer>")
		}
		fmt.Fprintf(&b, "<key>Hour</key><integer>%d</integer><key>Minute</key><integer>%d</integer></dict>\n", j.When.Hour, j.When.Minute)
	}

	fmt.Fprintf(&b, "<key>StandardOutPath</key><string>%s</string>\n<key>StandardErrorPath</key><string>%s</string>\n", text(log), text(log))
	b.WriteString("<key>LowPriorityIO</key><true/>\n</dict></plist>\n")
	return fileIn(dir, labelPrefix+j.Name+".plist", b.String())
}
