package store

import (
	"slices"
	"strings"
	"unicode"

	"sandkeeper/internal/pattern"
)

var secretNouns = []string{"token", "key", "secret", "password", "passwd", "passphrase", "credential", "credentials"}

// secretQualifiers make a credential of a noun that alone may mean anything: apiKey, session_token.
var secretQualifiers = []string{
	"access", "refresh", "client", "bearer", "oauth", "auth", "api", "private", "signing", "session", "bot", "app", "resolved", "encryption",
}

// credentialKey reports whether a setting of this name holds a credential (rules of docs/facts/nemoclaw.md 9.5).
func credentialKey(key string) bool {
	words := keyWords(key)
	if len(words) == 0 || slices.Contains(words, "public") {
		return false
	}
	joined, last := strings.Join(words, ""), words[len(words)-1]
	switch joined {
	case "token", "secret", "password", "pass", "passwd", "passphrase", "credential", "authorization", "proxyauthorization", "cookie", "setcookie":
		return true
	}
	for _, qualifier := range secretQualifiers {
		if rest, ok := strings.CutPrefix(joined, qualifier); ok && slices.Contains(secretNouns, rest) {
			return true
		}
	}

	if len(words) == 1 || !slices.Contains(secretNouns, last) && last != "apikey" {
		return false
	}
	environment := strings.Contains(key, "_") && strings.ToUpper(key) == key
	header := strings.Contains(key, "-")
	return environment || header || slices.Contains(secretQualifiers, words[len(words)-2]) || last != "key" && last != "token"
}

// keyWords takes accessToken, ACCESS_TOKEN and access-token apart into lower-case words.
func keyWords(key string) []string {
	var spaced strings.Builder
	lower := false
	for _, r := range key {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			spaced.WriteByte(' ')
		case unicode.IsUpper(r) && lower:
			spaced.WriteByte(' ')
			spaced.WriteRune(r)
		default:
			spaced.WriteRune(r)
		}
		lower = unicode.IsLower(r)
	}
	return strings.Fields(strings.ToLower(spaced.String()))
}

var notSecret = pattern.Of(`^(?i:|null|none|true|false|undefined|unused|[0-9.]+|\*+|x+|\.+|<[^>]*>|\$\{?[a-z_][a-z0-9_]*\}?|%[a-z0-9_]+%|` +
	`(?:bearer )?openshell:resolve:env:[a-z0-9_]+|(?:xoxb|xapp)-openshell-resolve-env-[a-z0-9_-]*|\[stripped_by_migration\]|(?:env|file|vault|keyring):.*|\{\{.*\}\})$`)

// placeholder reports whether a value stands for a credential, or for none, and is none itself.
func placeholder(value string) bool { return notSecret().MatchString(strings.TrimSpace(value)) }

// tokenMarks are one literal of each token pattern: a text without any of them needs no closer look.
var tokenMarks = []string{
	"nvapi-", "nvcf-", "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "sk-", "xox", "xapp-", "AKIA", "ASIA", "hf_", "glpat-", "gsk_", "pypi-",
	":AA", "tvly-", "lsv2_", "eyJ", "earer ", "PRIVATE KEY-----", "AGE-SECRET-KEY-1", "AIza", "npm_",
}

var tokenShape = pattern.Of(`\b(?:nvapi-|nvcf-)[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|` +
	`\bsk-[A-Za-z0-9_-]{20,}|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bhf_[A-Za-z0-9]{20,}|` +
	`\bglpat-[A-Za-z0-9_-]{16,}|\bgsk_[A-Za-z0-9]{20,}|\bpypi-[A-Za-z0-9_-]{20,}|\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}|\btvly-[A-Za-z0-9-]{16,}|` +
	`\blsv2_[A-Za-z0-9_]{20,}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|(?i:\bbearer )[A-Za-z0-9._~+/=-]{16,}|` +
	`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAGE-SECRET-KEY-1[A-Z0-9]{50,}|\bAIza[A-Za-z0-9_-]{30,}|\bnpm_[A-Za-z0-9]{30,}`)

var discordShape = pattern.Of(`^[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}$`)

// tokenValue reports whether a text contains something that is a credential by its shape.
func tokenValue(text string) bool {
	if !slices.ContainsFunc(tokenMarks, func(mark string) bool { return strings.Contains(text, mark) }) {
		return false
	}
	for _, match := range tokenShape().FindAllString(text, -1) {
		upper := strings.ToUpper(match)
		if !strings.Contains(upper, "OPENSHELL-RESOLVE-ENV") && !strings.Contains(upper, "OPENSHELL:RESOLVE:ENV") {
			return true
		}
	}
	return false
}
