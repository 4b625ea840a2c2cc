package builtin

import (
	"strings"
	"testing"
)

// TestLabelsAreThoseThatEveryDriverTakes goes to both sides of every limit of Kubernetes' label syntax.
func TestLabelsAreThoseThatEveryDriverTakes(t *testing.T) {
	long := strings.Repeat
	for _, label := range []struct {
		key, value string
		allowed    bool
	}{
		{"fleet", "prod", true},
		{"fleet", "", true},
		{"a", "b", true},
		{"Fleet_x.y-z", "A-b_c.d", true},
		{"example.com/fleet", "prod", true},
		{long("k", 63), long("v", 63), true},
		{long("p", 253) + "/k", "v", true},
		{long("k", 64), "v", false},
		{"k", long("v", 64), false},
		{long("p", 254) + "/k", "v", false},
		{"", "v", false},
		{"/k", "v", false},
		{"p/", "v", false},
		{"a/b/c", "v", false},
		{"-k", "v", false},
		{"k-", "v", false},
		{"k", "v.", false},
		{"k", "two words", false},
		{"k\n", "v", false},
		{"Example.com/k", "v", false},
		{"openshell.ai/managed-by", "openshell", false},
	} {
		if err := checkLabel(label.key, label.value); (err == nil) != label.allowed {
			t.Errorf("%.70q=%.70q: %v, want allowed %t", label.key, label.value, err, label.allowed)
		}
	}
}
