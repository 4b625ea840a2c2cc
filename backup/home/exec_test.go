package home

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTarComplaints(t *testing.T) {
	for line, want := range map[string]tarReport{
		"tar: ./a b: Cannot open: Permission denied":                                 {unread: []unreadEntry{{"a b", "cannot open: permission denied"}}},
		"/bin/tar: ./d: Cannot stat: Permission denied":                              {unread: []unreadEntry{{"d", "cannot stat: permission denied"}}},
		"tar: ./x: Read error at byte 0, while reading 10 bytes: Input/output error": {unread: []unreadEntry{{"x", "read error at byte 0, while reading 10 bytes: input/output error"}}},
		"tar: ./x: File removed before we read it":                                   {unread: []unreadEntry{{"x", "file removed before we read it"}}},
		"tar: ./s: socket ignored":                                                   {unread: []unreadEntry{{"s", "a socket"}}},
		"tar: ./l: file changed as we read it":                                       {changed: []string{"l"}},
		"tar: can't open './b c': Permission denied":                                 {unread: []unreadEntry{{"b c", "cannot be read: permission denied"}}},
		"tar: Exiting with failure status due to previous errors":                    {},
		"tar: error exit delayed from previous errors":                               {},
		"tar: write error: No space left on device":                                  {other: []string{"tar: write error: No space left on device"}},
		"Segmentation fault":                                                         {other: []string{"Segmentation fault"}},
	} {
		if diff := cmp.Diff(want, readTarComplaints(line+"\n"), cmp.AllowUnexported(tarReport{}, unreadEntry{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func FuzzTarComplaints(f *testing.F) {
	f.Add("tar: ./a: Cannot open: Permission denied\n")
	f.Add("tar: can't open './b': Permission denied\n\ntar: ./l: file changed as we read it")
	f.Fuzz(func(t *testing.T, stderr string) {
		report := readTarComplaints(stderr)
		said := len(report.unread) + len(report.changed) + len(report.other)
		if lines := strings.Count(stderr, "\n") + 1; said > lines {
			t.Errorf("%d findings in %d lines", said, lines)
		}
	})
}
