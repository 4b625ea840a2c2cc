package archive

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
)

// SecretsPolicy says what happens to credentials that the screen finds.
type SecretsPolicy string

// The policies. The default leaves credentials out and lists what was left out.
const (
	SecretsExclude SecretsPolicy = "exclude"
	SecretsInclude SecretsPolicy = "include"
)

// MaxScreened is the largest file that is looked into. Settings are smaller; what is larger is data.
const MaxScreened = 1 << 20

// StrippedValue is what stands in an agent's settings where a credential stood; NemoClaw writes and knows the same word.
const StrippedValue = "[STRIPPED_BY_MIGRATION]"

// Screen decides about credentials, file by file.
type Screen struct{ Policy SecretsPolicy }

// File gives the content to store, with h.Size changed where credentials were replaced; a nil reader when the file is left out.
// An exclusion says what was done; it names keys, never values.
func (s Screen) File(h *tar.Header, r io.Reader) (io.Reader, *Exclusion, error) {
	if s.Policy == SecretsInclude {
		return r, nil, nil
	}
	if reason := CredentialName(h.Name); reason != "" {
		return nil, LeftOut(h.Name, LeftOutCredential, reason), nil
	}
	if h.Size > MaxScreened || !screenedName(h.Name) {
		return r, nil, nil
	}
	content := make([]byte, h.Size)
	if n, err := io.ReadFull(r, content); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, fmt.Errorf("the stream ended after %d of %d bytes: %w", n, h.Size, err)
	}
	kept, x := ScreenContent(h.Name, content)
	if kept == nil {
		return nil, x, nil
	}
	h.Size = int64(len(kept))
	return bytes.NewReader(kept), x, nil
}

// ScreenContent gives what of a file is stored; nil when it is left out.
func ScreenContent(name string, content []byte) ([]byte, *Exclusion) {
	isJSON := strings.EqualFold(path.Ext(name), ".json")
	if isJSON {
		if finds, err := findInJSON(content, dependencyFile(name)); err == nil {
			return judgeJSON(name, content, finds)
		}
	}
	if what := findInText(content, dependencyFile(name)); what != "" {
		return nil, LeftOut(name, LeftOutCredential, "holds "+what)
	}
	return content, nil
}

// judgeJSON keeps an agent's own settings with their credentials replaced, and leaves other files with credentials out.
func judgeJSON(name string, content []byte, finds []find) ([]byte, *Exclusion) {
	if len(finds) == 0 {
		return content, nil
	}
	if !agentSettings(name) {
		return nil, LeftOut(name, LeftOutCredential, "holds "+finds[0].what)
	}
	return redact(content, finds), LeftOut(name, LeftOutRedacted, fmt.Sprintf("%s replaced by %s", listFinds(finds), StrippedValue))
}

func listFinds(finds []find) string {
	var words []string
	seen := map[string]bool{}
	for _, f := range finds {
		if !seen[f.what] {
			seen[f.what] = true
			words = append(words, f.what)
		}
	}
	if more := len(words) - 5; more > 0 {
		words = append(words[:5], fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}
