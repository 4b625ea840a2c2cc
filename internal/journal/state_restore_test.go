package journal

import "testing"

// TestOnlyFoldersOfItsFilesAreObeyed: what a record names is removed when the restore is taken back.
func TestOnlyFoldersOfItsFilesAreObeyed(t *testing.T) {
	for made, good := range map[string]bool{"/home/op/.config": true, "/home/op/.config/openshell": true, "/etc": false, "": false, "/home/op/.conf": false, "home": false} {
		r := StateRestore{Gateway: "openshell", Backup: "20260101T000000Z-0001", Files: []string{"/home/op/.config/openshell/gateway.toml"}, Made: []string{made}}
		if err := checkStateRestore(r.Key(), r); (err == nil) != good {
			t.Errorf("%q: %v", made, err)
		}
	}
}
