package cmd

import "github.com/fatih/color"

// paintErr and paintOut repeat in colour what the words already say, where colour is wanted. fatih/color's global
// switch is never used: each stream decides for itself.
func (a *app) paintErr(attribute color.Attribute, text string) string {
	return paint(a.colorful(a.ErrTTY), attribute, text)
}

func (a *app) paintOut(attribute color.Attribute, text string) string {
	return paint(a.colorful(a.OutTTY), attribute, text)
}

func (a *app) colorful(tty bool) bool {
	switch a.global.color {
	case "always":
		return true
	case "never":
		return false
	}

	_, noColor := a.Env.Lookup("NO_COLOR")
	return tty && !noColor && a.Env.Get("TERM") != "dumb"
}

func paint(wanted bool, attribute color.Attribute, text string) string {
	if !wanted {
		return text
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(text)
}

// statusColor is the colour of a status word; the word itself carries the meaning.
func statusColor(word string) color.Attribute {
	switch word {
	case "ok", "pass", "backed_up", "current", "restored", "upgraded", "verified":
		return color.FgGreen
	case "warn", "skip", "skipped", "orphaned", "unknown", "unverified":
		return color.FgYellow
	case "FAIL", "fail", "failed", "refuse", "damaged":
		return color.FgRed
	}
	return color.Reset
}
