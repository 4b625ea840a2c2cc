package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
	"sandkeeper/internal/text"
	"sandkeeper/internal/tomlkeys"
	"sandkeeper/internal/trust"
)

// configLimit bounds the config file, in bytes.
const configLimit = 1 << 20

// config is $XDG_CONFIG_HOME/sandkeeper/config.toml (docs/config.md). Every flag of every command is a key of it, with
// _ for -; beside them there are two tables. Every key is optional; an unknown one is an error that says where it
// stands.
type config struct {
	path   string // "" without a home
	text   []byte // nil when there is no file
	lines  tomlkeys.Lines
	flags  map[string]setting // by the flag's name
	agents map[string]setting // the agent version that a current sandbox has, by the agent's name

	passedOver []error // mistakes in keys that the command does without
}

// setting is one value of the file, in the spelling of the command line.
type setting struct {
	value string
	line  int
}

// readConfig reads the config file of the user uid; none is an empty config. known are all flags. A mistake in a key
// that is not needed is passed over; nil needs every key. A file that another user could have written is an error in
// any case: it names commands that would be run, and folders that would be written to.
func readConfig(e env.Env, uid int, known map[string]*pflag.Flag, needed func(key string) bool) (config, error) {
	if e.ConfigHome() == "" {
		return config{}, nil
	}
	path := filepath.Join(e.ConfigHome(), "sandkeeper", "config.toml")
	content, err := homefile.ReadOwn(e.Home(), path, configLimit, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return config{path: path}, nil
	}
	if errors.Is(err, trust.ErrForeign) {
		return config{}, &Failure{
			Code: ExitUsage, Kind: "config_invalid", Err: fmt.Errorf("config file %w", err),
			Hint: "run sandkeeper as the user whose home that is, or with your own (sudo -H); where others may write the file, take that away: chmod go-w " + text.ShellWord(path),
		}
	}

	if err != nil {
		return config{}, invalidConfig(fmt.Errorf("config file %w", err))
	}
	return parseConfig(path, content, known, needed)
}

func parseConfig(path string, text []byte, known map[string]*pflag.Flag, needed func(key string) bool) (config, error) {
	var document map[string]any
	err := toml.Unmarshal(text, &document)
	if broken, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := broken.Position()
		return config{}, invalidConfig(fmt.Errorf("%s:%d:%d: this is not TOML: %s", path, row, column, notTOML(broken)))
	}
	if err != nil {
		return config{}, invalidConfig(fmt.Errorf("%s: this is not TOML: %s", path, notTOML(err)))
	}
	c := config{path: path, text: text, lines: tomlkeys.Of(text), flags: map[string]setting{}, agents: map[string]setting{}}
	for _, key := range slices.Sorted(maps.Keys(document)) {
		err := c.take(key, document[key], known)
		switch {
		case err == nil:
		case needed == nil || needed(key):
			return config{}, err
		default:
			c.passedOver = append(c.passedOver, err)
		}
	}

	return c, nil
}

// notTOML is what the parser said, and what it said of a line's end in words.
func notTOML(err error) string {
	return strings.Replace(strings.TrimPrefix(err.Error(), "toml: "), "unexpected character U+000A at start of value", "a value is missing after =", 1)
}

// take reads one key of the first level.
func (c *config) take(key string, value any, known map[string]*pflag.Flag) error {
	switch key {
	case "compute": // read by package lifecycle, which knows the extensions
		return nil
	case "agents":
		return c.takeAgents(value)
	}

	name := strings.ReplaceAll(key, "_", "-")
	flag := known[name]
	if flag == nil || strings.Contains(key, "-") {
		return c.unknownKey(key, known)
	}
	text, err := fileValue(flag, value)
	if err != nil {
		return c.fault(err, key)
	}
	if name == "backup-dir" && !filepath.IsAbs(text) {
		return c.fault(fmt.Errorf("%q is not an absolute path: it would be another folder wherever sandkeeper is run", text), key)
	}
	if text != "" || flag.Value.Type() != "stringSlice" { // an empty list is none
		c.flags[name] = setting{text, c.lines.At(key)}
	}
	return nil
}

func (c *config) unknownKey(key string, known map[string]*pflag.Flag) error {
	keys := []string{"agents", "compute"}
	for name := range known {
		keys = append(keys, configKey(name))
	}
	slices.Sort(keys)
	f := c.fault(errors.New("there is no such key"), key)
	f.Hint = meant(text.Nearest(key, keys)) + "docs/config.md has every key; sandkeeper config show prints them"
	return f
}

func (c *config) takeAgents(value any) error {
	agents, isTable := value.(map[string]any)
	if !isTable {
		return c.fault(errors.New(`a table for each agent is expected, such as [agents.openclaw]`), "agents")
	}
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		agent, isTable := agents[name].(map[string]any)
		if !isTable {
			return c.fault(errors.New(`a table is expected, such as expected = "2026.7.1" below [agents.openclaw]`), "agents", name)
		}
		for _, key := range slices.Sorted(maps.Keys(agent)) {
			version, isText := agent[key].(string)
			if key != "expected" {
				return c.fault(errors.New(`there is no such key; an agent has only "expected"`), "agents", name, key)
			}
			if !isText {
				return c.fault(fmt.Errorf("a version in quotes is expected, such as \"2026.7.1\", not %v", agent[key]), "agents", name, key)
			}
			c.agents[name] = setting{version, c.lines.At("agents", name, key)}
		}
	}
	return nil
}

// fault is an error about one key: file, line, key, and what was expected.
func (c *config) fault(err error, path ...string) *Failure {
	return invalidConfig(fmt.Errorf("%s:%d: %s: %w", c.path, c.lines.At(path...), strings.Join(path, "."), err))
}

func invalidConfig(err error) *Failure {
	return &Failure{Code: ExitUsage, Kind: "config_invalid", Err: err, Hint: "correct the file, or move it away to use the defaults; docs/config.md has every key"}
}

// flag gives the value that the config file sets for a flag, and where it stands there.
func (c config) flag(name string) (value, place string, set bool) {
	s, set := c.flags[name]
	if !set {
		return "", "", false
	}
	return s.value, fmt.Sprintf("%s:%d", c.path, s.line), true
}

// expectedAgents are the agent versions that the operator configured, by agent name.
func (c config) expectedAgents() map[string]string {
	expected := make(map[string]string, len(c.agents))
	for name, agent := range c.agents {
		expected[name] = agent.value
	}
	return expected
}

// configKey is how the config file spells a flag.
func configKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }
