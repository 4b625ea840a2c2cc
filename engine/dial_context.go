package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sandkeeper/internal/homefile"
)

const contextFileLimit = 1 << 20

// activeContext is the engine of the docker command's active context: DOCKER_CONTEXT, else currentContext of its
// config.json. The context "default" and no context at all are the zero address.
func (d Dialing) activeContext() (address, error) {
	name, from, err := d.contextName()
	if err != nil || name == "" || name == "default" {
		return address{}, err
	}
	// ~/.docker/contexts/meta/<sha256 of the name>/meta.json (docker/cli, cli/context/store).
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	content, err := homefile.Read(d.Env.Home(), filepath.Join(d.configDir(), "contexts/meta", id, "meta.json"), contextFileLimit)
	if err != nil {
		return address{}, fmt.Errorf("docker context %q, active by %s, cannot be read: %w", name, from, err)
	}
	a, err := parseContext(content)
	if err != nil {
		return address{}, fmt.Errorf("docker context %q, active by %s: %w", name, from, err)
	}
	a.from = fmt.Sprintf("docker context %q", name)
	if strings.HasPrefix(a.host, "tcp://") {
		skip := a.tls.skipVerify
		if a.tls, err = d.contextTLS(id); err != nil {
			return address{}, fmt.Errorf("docker context %q: %w", name, err)
		}
		a.tls.skipVerify = skip
	}

	return a, nil
}

func (d Dialing) contextName() (name, from string, err error) {
	if name := d.Env.Get("DOCKER_CONTEXT"); name != "" {
		return name, "DOCKER_CONTEXT", nil
	}
	path := filepath.Join(d.configDir(), "config.json")
	content, err := homefile.Read(d.Env.Home(), path, contextFileLimit)
	if errors.Is(err, fs.ErrNotExist) || d.configDir() == "" {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("which docker context is active cannot be read: %w", err)
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return "", "", fmt.Errorf("which docker context is active cannot be read: %s is not valid JSON: %w", path, err)
	}
	return config.CurrentContext, path, nil
}

// configDir is $DOCKER_CONFIG, by default ~/.docker; "" without either.
func (d Dialing) configDir() string {
	if dir := d.Env.Get("DOCKER_CONFIG"); filepath.IsAbs(dir) {
		return dir
	}
	if home := d.Env.Home(); home != "" {
		return filepath.Join(home, ".docker")
	}
	return ""
}

func parseContext(content []byte) (address, error) {
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(content, &meta); err != nil {
		return address{}, fmt.Errorf("its meta.json is not valid JSON: %w", err)
	}
	endpoint, ok := meta.Endpoints["docker"]
	if !ok || endpoint.Host == "" {
		return address{}, errors.New("it names no docker host")
	}
	return address{host: endpoint.Host, tls: tlsFiles{skipVerify: endpoint.SkipTLSVerify}}, nil
}

// contextTLS finds the certificates that were stored with a context; there are none for a plain endpoint.
func (d Dialing) contextTLS(id string) (tlsFiles, error) {
	files := certificates(filepath.Join(d.configDir(), "contexts/tls", id, "docker"))
	for _, file := range []*string{&files.ca, &files.cert, &files.key} {
		_, err := homefile.Read(d.Env.Home(), *file, contextFileLimit)
		if errors.Is(err, fs.ErrNotExist) {
			*file = ""
		} else if err != nil {
			return tlsFiles{}, err
		}
	}

	files.on = files.ca != "" || files.cert != ""
	return files, nil
}
