package schedule

import (
	"slices"
	"strings"

	"sandkeeper/internal/env"
)

// Environment is what a job needs of the environment: what sandkeeper and the programs that it runs look at, but
// nothing that looks like a secret, for units can be read by others.
func Environment(e env.Env) []string {
	var kept []string
	for _, each := range e.All() {
		name, value, _ := strings.Cut(each, "=")
		if value != "" && nightly(name) && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
			kept = append(kept, each)
		}
	}
	return kept
}

func nightly(name string) bool {
	if slices.Contains([]string{ // where the S3 library finds bucket and credentials: places and names, no keys
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_CA_BUNDLE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	}, name) {
		return true
	}
	for _, part := range []string{"TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL"} {
		if strings.Contains(name, part) {
			return false
		}
	}

	for _, prefix := range []string{"SANDKEEPER_", "NEMOCLAW_", "OPENSHELL_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"HOME", "PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
	}, name)
}
