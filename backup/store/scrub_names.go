package store

import (
	"path"
	"slices"
	"strings"
)

// credentialName says why a file is a credential by its name alone; "" when it is not. The names are NemoClaw's
// (src/lib/security/snapshot-sanitizer.ts) and those of the usual tools.
func credentialName(name string) string {
	base := strings.ToLower(path.Base(name))
	switch {
	case slices.Contains([]string{
		"auth-profiles.json", "auth.json", "chatgpt-auth.json", // agents and their model providers
		".netrc", "_netrc", ".git-credentials", ".pgpass", ".my.cnf", ".pypirc", ".vault-token", // tools
		"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk", // OpenSSH
	}, base):
		return "credential file"
	case slices.Contains([]string{".p12", ".pfx", ".jks", ".keystore", ".kdbx"}, path.Ext(base)):
		return "key store"
	case isEnvFile(base):
		return "environment file"
	}

	for _, known := range []string{
		".aws/credentials", ".docker/config.json", ".kube/config", ".config/gh/hosts.yml", ".azure/accessTokens.json",
		".config/gcloud/application_default_credentials.json", ".config/gcloud/credentials.db", ".cargo/credentials.toml", ".cargo/credentials",
	} {
		if name == known || strings.HasSuffix(name, "/"+known) {
			return "credential file"
		}
	}

	if strings.Contains("/"+name, "/.gnupg/private-keys-v1.d/") {
		return "private key"
	}
	return ""
}

// isEnvFile knows .env, name.env and .env.local, but not the examples that projects ship.
func isEnvFile(base string) bool {
	switch base {
	case ".env.example", ".env.sample", ".env.template", ".env.dist", ".env.schema", "example.env", "sample.env":
		return false
	}
	return strings.HasSuffix(base, ".env") || strings.HasPrefix(base, ".env.")
}

// screenedName reports whether a file is looked into: settings, and keys in text form.
func screenedName(name string) bool {
	base := strings.ToLower(path.Base(name))
	switch path.Ext(base) {
	case ".json", ".yaml", ".yml", ".env", ".toml", ".ini", ".pem", ".key", ".conf", ".cfg":
		return true
	}
	return base == ".npmrc" || base == ".yarnrc" || strings.HasPrefix(base, ".env.")
}

// agentSettings are the settings files of agents (docs/facts/nemoclaw.md 9.4 and what they read besides): one key
// must not cost the rest.
func agentSettings(name string) bool {
	switch path.Base(name) {
	case "openclaw.json", "settings.json", "config.json", ".mcp.json", "mcp.json":
		return true
	}
	return false
}

// dependencyFile is a file that package managers wrote: names of keys mean nothing in it, only values that are tokens
// by their shape.
func dependencyFile(name string) bool {
	switch path.Base(name) {
	case "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "composer.lock", ".package-lock.json":
		return true
	}
	return strings.Contains("/"+name, "/node_modules/")
}
