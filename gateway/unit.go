package gateway

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
)

// unitName is the service that the packages install (docs/facts/openshell.md 1.2).
const unitName = "openshell-gateway.service"

// unitLimit is far above any unit or file of variables.
const unitLimit = 256 << 10

// unitFolders are where a manager of systemd looks for units, the one that wins first (systemd.unit(5)).
func (o Options) unitFolders() (user, system []string) {
	if config := o.Env.ConfigHome(); config != "" {
		user = append(user, filepath.Join(config, "systemd/user"))
	}
	for _, dir := range []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"} {
		user = append(user, o.system(filepath.Join(dir, "user")))
		system = append(system, o.system(filepath.Join(dir, "system")))
	}
	return user, system
}

// gatewayUnit is how systemd would start the gateway: as the user's service, else as the system's. A masked unit starts
// nothing.
func (o Options) gatewayUnit() (startup, bool) {
	for _, user := range []bool{true, false} {
		if u, ok := o.unit(unitName, user); ok {
			return u.starts, true
		}
	}
	return startup{}, false
}

// readUnit is the text of the unit name with its drop-ins after it, in the order in which they count; "" when it is
// absent or masked.
func (o Options) readUnit(folders []string, name string) string {
	var text string
	for _, dir := range folders {
		path := filepath.Join(dir, name)
		if target, err := os.Readlink(path); err == nil && target == os.DevNull {
			return "" // masked
		}
		content, err := homefile.Read(o.Env.Home(), path, unitLimit)
		if err == nil {
			text = string(content)
			break
		}
	}

	if strings.TrimSpace(text) == "" {
		return ""
	}
	dropIns := map[string]string{} // by name: the folder that wins
	for _, dir := range slices.Backward(folders) {
		paths, err := filepath.Glob(filepath.Join(dir, name+".d", "*.conf"))
		if err != nil {
			continue
		}
		for _, path := range paths {
			dropIns[filepath.Base(path)] = path
		}
	}

	names := make([]string, 0, len(dropIns))
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		content, err := homefile.Read(o.Env.Home(), dropIns[name], unitLimit)
		if err == nil {
			text += "\n" + string(content)
		}
	}

	return text
}

// parseUnit reads what a unit says of the gateway's command line and environment (systemd.service(5), systemd.exec(5)).
func (o Options) parseUnit(text string, base env.Env, specifiers map[string]string) startup {
	l := startup{env: base}
	var own, files []string
	section := ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section != "[Service]" {
			continue
		}
		words := unitWords(value, specifiers)
		switch strings.TrimSpace(key) {
		case "ExecStart":
			l.args = words
		case "Environment":
			own = addOrReset(own, words)
		case "EnvironmentFile":
			files = addOrReset(files, words)
		case "WorkingDirectory":
			l.dir = strings.TrimPrefix(strings.Join(words, " "), "-")
		}
	}

	l.env = l.env.With(own...)
	for _, file := range files {
		l.env = l.env.With(o.environmentFile(strings.TrimPrefix(file, "-"))...)
	}
	return l
}

// addOrReset is how a list of a unit grows: an empty value begins it again.
func addOrReset(list, words []string) []string {
	if len(words) == 0 {
		return nil
	}
	return append(list, words...)
}

// environmentFile reads the assignments of a file that a unit names.
func (o Options) environmentFile(path string) []string {
	content, err := homefile.Read(o.Env.Home(), path, unitLimit)
	if err != nil {
		return nil
	}
	var entries []string
	for line := range strings.Lines(string(content)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, ";") {
			entries = append(entries, strings.TrimSpace(name)+"="+bare(value))
		}
	}

	return entries
}

// unitWords splits a value of a unit at spaces outside quotes, and puts in what the specifiers stand for.
func unitWords(value string, specifiers map[string]string) []string {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, r := range value {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}

	if inWord {
		words = append(words, word.String())
	}
	for i, each := range words {
		for specifier, meaning := range specifiers {
			each = strings.ReplaceAll(each, specifier, meaning)
		}
		words[i] = strings.ReplaceAll(each, "%%", "%")
	}

	return words
}
