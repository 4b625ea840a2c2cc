package docs

import (
	"os"
	"path"
	"regexp"
	"testing"
)

// TestNoFileNamesAPackageMirror promises that everything is fetched from where the machine itself fetches, so that it works behind a
// company's mirror: no script, page or source names the address of an archive of packages.
func TestNoFileNamesAPackageMirror(t *testing.T) {
	address := regexp.MustCompile(`https?://[\w.:-]+/(?:debian|ubuntu|fedora|alpine|pypi|simple|goproxy)\b`)
	if !address.MatchString("deb http://deb.example.org/" + "debian trixie main") {
		t.Fatal("an address is not recognised")
	}
	for name, text := range textFiles(t, os.DirFS("../..")) {
		if found := address.FindString(text); found != "" && path.Base(name) != "mirror_test.go" {
			t.Errorf("%s names %s", name, found)
		}
	}
}
