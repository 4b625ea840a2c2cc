package cmd

import "github.com/fatih/color"

// paintErr and paintOut repeat in colour what the words already say, where colour is wanted. fatih/color's global
// switch is never used: each stream decides for itself.
func (t *terminal) paintErr(attribute color.Attribute, text string) string {
	return paint(t.colorful(t.ErrTTY), attribute, text)
}

func (t *terminal) paintOut(attribute color.Attribute, text string) string {
	return paint(t.colorful(t.OutTTY), attribute, text)
}

func (t *terminal) colorful(tty bool) bool {
	switch t.color {
	case "always":
		return true
	case "never":
		return false
	}

	_, noColor := t.Env.Lookup("NO_COLOR")
	return tty && !noColor && t.Env.Get("TERM") != "dumb"
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
