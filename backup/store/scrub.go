package store

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"sandkeeper/backup/archive"
)

// maxScreened is the largest file that is looked into. Settings are smaller; what is larger is data.
const maxScreened = 1 << 20

// strippedValue is what stands in an agent's settings where a credential stood; NemoClaw writes and knows the same
// word.
const strippedValue = "[STRIPPED_BY_MIGRATION]"

// scrub gives the content to pass on of one file, with h.Size changed where credentials were replaced; a nil reader
// when the file is left out. It is a guess by name and by content, and may miss some. An exclusion says what was done;
// it names keys, never values.
func scrub(h *tar.Header, r io.Reader) (io.Reader, *archive.Exclusion, error) {
	if reason := credentialName(h.Name); reason != "" {
		return nil, archive.LeftOut(h.Name, archive.LeftOutCredential, reason), nil
	}
	if h.Size > maxScreened || !screenedName(h.Name) {
		return r, nil, nil
	}
	content := make([]byte, h.Size)
	if n, err := io.ReadFull(r, content); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, fmt.Errorf("the stream ended after %d of %d bytes: %w", n, h.Size, err)
	}

	kept, x := screenContent(h.Name, content)
	if kept == nil {
		return nil, x, nil
	}
	h.Size = int64(len(kept))
	return bytes.NewReader(kept), x, nil
}

// screenContent gives what of a file is stored; nil when it is left out.
func screenContent(name string, content []byte) ([]byte, *archive.Exclusion) {
	isJSON := strings.EqualFold(path.Ext(name), ".json")
	if isJSON {
		if finds, err := findInJSON(content, dependencyFile(name)); err == nil {
			return judgeJSON(name, content, finds)
		}
	}

	if what := findInText(content, dependencyFile(name)); what != "" {
		return nil, archive.LeftOut(name, archive.LeftOutCredential, "holds "+what)
	}
	return content, nil
}

// judgeJSON keeps an agent's own settings with their credentials replaced, and leaves other files with credentials out.
func judgeJSON(name string, content []byte, finds []find) ([]byte, *archive.Exclusion) {
	if len(finds) == 0 {
		return content, nil
	}
	if !agentSettings(name) {
		return nil, archive.LeftOut(name, archive.LeftOutCredential, "holds "+finds[0].what)
	}
	return redact(content, finds), archive.LeftOut(name, archive.LeftOutRedacted, fmt.Sprintf("%s replaced by %s", listFinds(finds), strippedValue))
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
