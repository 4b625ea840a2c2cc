package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"

	"sandkeeper/internal/pattern"
)

// find is one credential in a JSON text: where its literal stands, and what it is, without its value.
type find struct {
	from, to int
	what     string
}

// nesting is one open object or array of a JSON text.
type nesting struct {
	object   bool
	wantsKey bool
	key      string // of the member, or of the nearest member around an array
	flag     string // the array's string before: --api-key
}

// jsonScan walks over a JSON text token by token and notes credentials.
type jsonScan struct {
	valuesOnly bool
	open       []nesting
	finds      []find
}

// findInJSON finds the credentials of a JSON text. With valuesOnly names of keys mean nothing. Texts that are not JSON
// are an error.
func findInJSON(content []byte, valuesOnly bool) ([]find, error) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	s := jsonScan{valuesOnly: valuesOnly}
	for end := 0; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) && len(s.open) == 0 {
			return s.finds, nil
		}
		if err != nil {
			return nil, err
		}
		from := end + len(content[end:]) - len(bytes.TrimLeft(content[end:], " \t\r\n:,"))
		end = int(dec.InputOffset())
		s.token(token, from, end)
	}
}

func (s *jsonScan) token(token json.Token, from, to int) {
	top := s.top()
	switch v := token.(type) {
	case json.Delim:
		s.delim(v)
		return
	case string:
		if top.object && top.wantsKey {
			top.key, top.wantsKey = v, false
			return
		}
		if what := s.judge(top, v); what != "" {
			s.finds = append(s.finds, find{from, to, what})
		}
		top.flag = v
	}

	top.wantsKey = top.object
}

// top is the innermost open value; a scratch one at the top of the text.
func (s *jsonScan) top() *nesting {
	if len(s.open) == 0 {
		return &nesting{}
	}
	return &s.open[len(s.open)-1]
}

func (s *jsonScan) delim(d json.Delim) {
	switch d {
	case '{':
		s.open = append(s.open, nesting{object: true, wantsKey: true})
	case '[':
		s.open = append(s.open, nesting{key: s.top().key})
	default:
		s.open = s.open[:len(s.open)-1]
		s.top().wantsKey = s.top().object
	}
}

// judge says what credential a string is; "" when it is none.
func (s *jsonScan) judge(in *nesting, value string) string {
	switch {
	case placeholder(value):
		return ""
	case tokenValue(value) || discordShape().MatchString(value):
		return "a token in " + keyForPeople(in.key)
	case s.valuesOnly:
		return ""
	case credentialKey(in.key):
		return "a value of " + keyForPeople(in.key)
	case !in.object && strings.HasPrefix(in.flag, "-") && !strings.HasPrefix(value, "-") && credentialKey(strings.TrimLeft(in.flag, "-")):
		return "an argument of " + keyForPeople(in.flag)
	}

	flag, argument, found := strings.Cut(value, "=")
	if found && !in.object && strings.HasPrefix(flag, "-") && credentialKey(strings.TrimLeft(flag, "-")) && !placeholder(argument) {
		return "an argument of " + keyForPeople(flag)
	}
	return ""
}

// redact replaces the finds and leaves every other byte as it is.
func redact(content []byte, finds []find) []byte {
	var out bytes.Buffer
	at := 0
	for _, f := range finds {
		out.Write(content[at:f.from])
		out.WriteString(`"` + strippedValue + `"`)
		at = f.to
	}

	out.Write(content[at:])
	return out.Bytes()
}

var (
	keyHints = []string{"key", "token", "secret", "pass", "credential", "authorization", "cookie"}
	pairs    = pattern.Of(`["']?([A-Za-z0-9_.-]+)["']?[ \t]*[:=][ \t]*("[^"\n]*"|'[^'\n]*'|[^\s"',;}#]+)`)
)

// findInText says what credential a text of settings (YAML, TOML, INI, environment, broken JSON) holds; "" when none is
// seen.
func findInText(content []byte, valuesOnly bool) string {
	text := string(content)
	if tokenValue(text) {
		return "a token"
	}
	lower := strings.ToLower(text)
	hinted := slices.ContainsFunc(keyHints, func(hint string) bool { return strings.Contains(lower, hint) })
	if valuesOnly || !hinted {
		return ""
	}
	for _, pair := range pairs().FindAllStringSubmatch(text, -1) {
		key := pair[1][strings.LastIndexByte(pair[1], '.')+1:]
		if credentialKey(key) && !placeholder(strings.Trim(pair[2], `"'`)) {
			return "a value of " + keyForPeople(key)
		}
	}

	return ""
}

// keyForPeople is a key as the manifest names it: quoted, short, and not at all where it might itself be a secret.
func keyForPeople(key string) string {
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.@", r)
	}
	if key == "" || len(key) > 40 || strings.ContainsFunc(key, odd) || tokenValue(key) {
		return "an unnamed setting"
	}
	return `"` + key + `"`
}
