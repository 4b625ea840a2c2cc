package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
)

// configLimit bounds the config file, in bytes.
const configLimit = 1 << 20

// config is $XDG_CONFIG_HOME/sandkeeper/config.toml. Every key is optional; an unknown key is an error that says where it stands.
type config struct {
	path string
	text []byte

	BackupDir  string                 `toml:"backup_dir"`
	Jobs       *int                   `toml:"jobs"`
	PauseLimit string                 `toml:"pause_limit"`
	StallLimit string                 `toml:"stall_limit"`
	Secrets    string                 `toml:"secrets"`
	EncryptTo  []string               `toml:"encrypt_to"`
	Color      string                 `toml:"color"`
	Agents     map[string]agentConfig `toml:"agents"`
	Compute    map[string]any         `toml:"compute"` // read by package lifecycle, which knows the extensions
}

type agentConfig struct {
	Expected string `toml:"expected"` // agent version that a current sandbox has
}

// readConfig reads the config file; none is an empty config.
func readConfig(e env.Env) (config, error) {
	if e.ConfigHome() == "" {
		return config{}, nil
	}
	path := filepath.Join(e.ConfigHome(), "sandkeeper", "config.toml")
	text, err := homefile.Read(e.Home(), path, configLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, nil
	}
	if err != nil {
		return config{}, invalidConfig(path, err)
	}
	return parseConfig(path, text)
}

func parseConfig(path string, text []byte) (config, error) {
	c := config{path: path, text: text}
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&c)
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		row, _ := strict.Errors[0].Position()
		return config{}, invalidConfig(path, fmt.Errorf("line %d: unknown key %q", row, strings.Join(strict.Errors[0].Key(), ".")))
	}
	if broken, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := broken.Position()
		return config{}, invalidConfig(path, fmt.Errorf("line %d, column %d: %s", row, column, broken.Error()))
	}
	if err == nil && c.BackupDir != "" && !filepath.IsAbs(c.BackupDir) {
		err = fmt.Errorf("backup_dir %q is not an absolute path: it would be another folder wherever sandkeeper is run", c.BackupDir)
	}
	if err != nil {
		return config{}, invalidConfig(path, err)
	}
	return c, nil
}

func invalidConfig(path string, err error) *Failure {
	return &Failure{Code: ExitUsage, Kind: "config_invalid", Err: fmt.Errorf("config file %s: %w", path, err), Hint: "correct the file, or move it away to use the defaults"}
}

// flag gives the value that the config file sets for a flag.
func (c config) flag(name string) (string, bool) {
	value := map[string]string{
		"backup-dir":  c.BackupDir,
		"pause-limit": c.PauseLimit,
		"stall-limit": c.StallLimit,
		"secrets":     c.Secrets,
		"color":       c.Color,
		"encrypt-to":  strings.Join(c.EncryptTo, ","),
	}[name]
	if name == "jobs" && c.Jobs != nil {
		value = fmt.Sprint(*c.Jobs)
	}
	return value, value != ""
}

// expectedAgents are the agent versions that the operator configured, by agent name.
func (c config) expectedAgents() map[string]string {
	expected := make(map[string]string, len(c.Agents))
	for name, agent := range c.Agents {
		expected[name] = agent.Expected
	}
	return expected
}
