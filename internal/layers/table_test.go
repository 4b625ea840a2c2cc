package layers

import "slices"

// module is the path before every package of ours.
const module = "sandkeeper"

// rooms is the layer table of ARCHITECTURE.md, the lowest first: each room with the rooms of ours that it may import. Besides these a
// room may import internal/*. What stands in no row is a violation, so the table grows with the tree. A room may import only rooms
// above it in this list, which TestRoomsAreInOrder holds: nothing imports upward, also inside backup/ and upgrade/.
var rooms = []struct {
	name string
	may  []string
}{
	{"drift", nil},
	{"lifecycle", nil},
	{"lifecycle/builtin", []string{"lifecycle"}},
	{"openshell/wire", []string{"drift"}},
	{"openshell", []string{"drift", "openshell/wire"}},
	{"diagnose", []string{"openshell"}},
	{"engine", []string{"drift"}},
	{"gateway", []string{"drift", "openshell", "engine"}},
	{"preflight", []string{"drift", "gateway", "engine", "openshell", "diagnose"}},
	{"sandbox", []string{"gateway", "engine", "openshell"}},
	{"survey", []string{"drift", "openshell", "engine", "gateway", "preflight", "sandbox"}},
	{"backup/archive", nil},
	{"backup/tree", []string{"backup/archive"}},
	{"backup/store", []string{"backup/archive"}},
	{"backup/bucket", []string{"backup/archive", "backup/store"}},
	{"backup/home", []string{"backup/archive", "backup/tree", "engine", "openshell", "sandbox"}},
	{"backup/restore", []string{"backup/archive", "backup/tree", "backup/store", "backup/home", "engine", "openshell", "sandbox"}},
	{"backup/gatewaystate", []string{"backup/archive", "backup/store", "backup/home", "gateway"}},
	{"backup/drill", []string{"engine", "sandbox", "backup/archive", "backup/store", "backup/home", "backup/restore"}},
	{"backup/watch", []string{"sandbox", "backup/archive", "backup/store"}},
	{"backup", []string{
		"engine", "openshell", "sandbox", "backup/archive", "backup/store", "backup/home", "backup/gatewaystate",
	}},
	{"schedule", nil},
	{"driver", []string{"lifecycle", "openshell", "sandbox", "backup/archive"}},
	{"recreate", []string{
		"survey", "lifecycle", "openshell", "engine", "sandbox", "backup/archive", "backup/store", "backup/home", "backup/restore", "driver",
	}},
	{"upgrade/classify", []string{"drift", "engine", "openshell", "openshell/wire", "sandbox", "driver"}},
	{"upgrade", []string{
		"drift", "lifecycle", "openshell", "engine", "preflight", "sandbox", "backup/archive", "backup/store", "backup/home",
		"backup/restore", "backup", "driver", "upgrade/classify",
	}},
	{"migrate", []string{
		"survey", "preflight", "recreate", "drift", "openshell", "engine", "gateway", "sandbox", "lifecycle", "driver", "backup/archive", "backup/store", "backup/home", "backup/restore",
		"backup/gatewaystate", "backup",
	}},
	{"cmd", []string{
		"survey", "migrate", "preflight", "diagnose", "gateway", "engine", "openshell", "openshell/wire", "sandbox", "lifecycle",
		"backup/archive", "backup/store", "backup/bucket", "backup/home", "backup/restore", "backup/gatewaystate", "backup/watch", "backup/drill", "backup", "schedule",
		"lifecycle/builtin", "driver", "recreate", "upgrade", "upgrade/classify", "drift",
	}},
	{"main", []string{"cmd"}},
	{"examples", []string{"lifecycle", "cmd"}}, // a module of its own
}

// allowed is pkg's row of the layer table.
func allowed(pkg string) (imports []string, listed bool) {
	for _, room := range rooms {
		if room.name == pkg {
			return room.may, true
		}
	}
	return nil, false
}

// pure are the standard packages that drift and diagnose may use: none of them does I/O.
func pure(path string) bool {
	return slices.Contains([]string{
		"cmp", "errors", "fmt", "iter", "maps", "math", "regexp", "slices", "sort", "strconv", "strings", "sync", "unicode", "unicode/utf8",
	}, path)
}

// owners are the packages that alone may import a foreign module; nil leaves it to everybody.
func owners(path string) []string {
	switch {
	case under(path, "github.com/spf13/cobra"), under(path, "github.com/fatih/color"):
		return []string{"cmd"}
	case under(path, "github.com/docker/docker"), under(path, "github.com/docker/go-connections"):
		return []string{"engine"}
	case under(path, "github.com/aws"):
		return []string{"backup/bucket", "internal/buckettest"}
	}
	return nil
}
