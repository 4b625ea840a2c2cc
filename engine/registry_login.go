package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/registry"

	"sandkeeper/internal/env"
	"sandkeeper/internal/homefile"
)

// logins are what the docker command's own configuration knows about registries. Nothing of a password is printed,
// kept, or put into an error. They are worth their lines: an image that a gateway cannot pull is found out, and pulled,
// while the old sandbox runs, and a private registry gives it to nobody who has not logged in. A gateway has no login
// of the operator's.
type logins struct {
	env env.Env
	uid int
	dir string // of config.json; "" is none
}

// loginFile is the part of config.json that is about registries (docker/cli, cli/config/configfile).
type loginFile struct {
	Auths   map[string]savedLogin `json:"auths"`
	Helpers map[string]string     `json:"credHelpers"` // by registry
	Store   string                `json:"credsStore"`  // the helper for every other one
}

// savedLogin is what `docker login` has saved; Auth is base64 of "user:password".
type savedLogin struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// dockerHub is the registry of names that name none, and hubLogin the key under which the docker command keeps its
// password.
const (
	dockerHub = "docker.io"
	hubLogin  = "https://index.docker.io/v1/"
)

// header is what an engine wants to be told with a request about ref, "" without credentials. The error says why there
// are none although some are configured.
func (l logins) header(ctx context.Context, ref string) (string, error) {
	content, err := homefile.Read(l.env.Home(), filepath.Join(l.dir, "config.json"), contextFileLimit)
	if errors.Is(err, fs.ErrNotExist) || l.dir == "" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the docker command's configuration cannot be read: %w", err)
	}
	file, err := parseLogins(content)
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Join(l.dir, "config.json"), err)
	}
	host := RegistryOf(ref)
	login, found, err := l.find(ctx, file, host)
	if err != nil || !found {
		return "", err
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username: login.Username, Password: login.Password, IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken,
		ServerAddress: serverOf(host),
	})
}

// find asks a helper where one is configured, as the docker command does, else the file.
func (l logins) find(ctx context.Context, file loginFile, host string) (savedLogin, bool, error) {
	helper := file.Store
	for key, name := range file.Helpers {
		if sameRegistry(key, host) {
			helper = name
		}
	}

	if helper != "" {
		return l.ask(ctx, helper, serverOf(host))
	}
	for key, saved := range file.Auths {
		if sameRegistry(key, host) {
			login, err := saved.opened()
			return login, err == nil && login != savedLogin{}, err
		}
	}

	return savedLogin{}, false, nil
}

// opened has user and password taken apart.
func (s savedLogin) opened() (savedLogin, error) {
	if s.Auth == "" {
		return s, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(s.Auth)
	user, password, both := strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
	if err != nil || !both {
		return savedLogin{}, errors.New("what `docker login` saved for this registry is not base64 of a user and a password")
	}
	s.Auth, s.Username, s.Password = "", user, password
	return s, nil
}

// parseLogins does not quote what it could not read: it may be a password.
func parseLogins(content []byte) (loginFile, error) {
	var file loginFile
	if json.Unmarshal(content, &file) != nil {
		return loginFile{}, errors.New("it is not the docker command's JSON")
	}
	return file, nil
}

// RegistryOf is the registry in an image's name: what stands before the first slash when that can be a host, else
// Docker Hub (distribution/reference, splitDockerDomain).
func RegistryOf(ref string) string {
	host, _, more := strings.Cut(ref, "/")
	named := strings.ContainsAny(host, ".:") || host == "localhost" || strings.ToLower(host) != host
	if !more || !named || host == "index.docker.io" {
		return dockerHub
	}
	return host
}

func serverOf(host string) string {
	if host == dockerHub {
		return hubLogin
	}
	return host
}

// sameRegistry reports whether a key of config.json, which may be an address with scheme and path, is that registry's.
func sameRegistry(key, host string) bool {
	_, bare, scheme := strings.Cut(key, "://")
	if !scheme {
		bare = key
	}
	bare, _, _ = strings.Cut(bare, "/")
	return bare == host || host == dockerHub && bare == "index.docker.io"
}
