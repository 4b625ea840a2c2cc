package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sandkeeper/internal/command"
	"sandkeeper/internal/pattern"
	"sandkeeper/internal/trust"
)

var helperName = pattern.Of(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ask runs `docker-credential-NAME get`, which takes the server on standard input (docker/docker-credential-helpers).
// What it prints is never repeated: also its errors could hold a secret.
func (l logins) ask(ctx context.Context, name, server string) (savedLogin, bool, error) {
	path, err := l.helper(name)
	if err != nil {
		return savedLogin{}, false, err
	}
	result, err := command.Run(ctx, command.Command{
		Path: path, Args: []string{"get"}, Env: l.env.All(), Timeout: command.DefaultTimeout, Stdin: strings.NewReader(server),
	})
	switch {
	case err != nil:
		return savedLogin{}, false, err
	case result.Exit != 0 && strings.Contains(result.Combined(), "credentials not found"):
		return savedLogin{}, false, nil
	case result.Exit != 0:
		return savedLogin{}, false, fmt.Errorf("%s ended with exit status %d", path, result.Exit)
	}

	login, err := parseHelper(result.Stdout)
	if err != nil {
		return savedLogin{}, false, fmt.Errorf("%s %w", path, err)
	}
	return login, login != savedLogin{}, nil
}

// helper is the first program of that name in PATH, if it may be executed.
func (l logins) helper(name string) (string, error) {
	if !helperName().MatchString(name) {
		return "", fmt.Errorf("%q is not the name of a credential helper", name)
	}
	for _, dir := range filepath.SplitList(l.env.Get("PATH")) {
		path := filepath.Join(dir, "docker-credential-"+name)
		if _, err := os.Stat(path); err != nil || !filepath.IsAbs(dir) {
			continue
		}
		return path, trust.Executable(path, l.uid)
	}
	return "", fmt.Errorf("there is no docker-credential-%s in PATH", name)
}

// parseHelper reads a helper's answer. The user "<token>" says that the secret is an identity token.
func parseHelper(output []byte) (savedLogin, error) {
	var said struct{ Username, Secret string }
	if json.Unmarshal(output, &said) != nil {
		return savedLogin{}, errors.New("did not answer with a user and a secret")
	}
	if said.Username == "<token>" {
		return savedLogin{IdentityToken: said.Secret}, nil
	}
	return savedLogin{Username: said.Username, Password: said.Secret}, nil
}
