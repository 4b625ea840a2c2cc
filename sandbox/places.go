package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// rootLimit is how many gateway roots NemoClaw itself aggregates (src/lib/state/gateway-registry.ts).
const rootLimit = 256

// place is one registry file that exists, and the gateway port whose root holds it (0 for the common root).
type place struct {
	path string
	port int
}

// registryPlaces finds the registry files below home, the common one first, then by port.
func registryPlaces(home string) ([]place, error) {
	root, err := os.OpenRoot(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &RegistryError{Path: filepath.Join(home, ".nemoclaw"), Err: err}
	}
	defer root.Close()
	if _, err := exists(root, ".nemoclaw"); err != nil {
		return nil, &RegistryError{Path: filepath.Join(home, ".nemoclaw"), Err: err}
	}
	ports, err := gatewayPorts(root)
	if err != nil {
		return nil, &RegistryError{Path: filepath.Join(home, ".nemoclaw", "gateways"), Err: err}
	}
	candidates := []place{{path: ".nemoclaw/sandboxes.json"}}
	for _, port := range ports {
		candidates = append(candidates, place{path: fmt.Sprintf(".nemoclaw/gateways/%d/sandboxes.json", port), port: port})
	}
	var places []place
	for _, c := range candidates {
		path := filepath.Join(home, c.path)
		there, err := exists(root, c.path)
		if err != nil {
			return nil, &RegistryError{Path: path, Err: err}
		}
		if there {
			places = append(places, place{path: path, port: c.port})
		}
	}

	return places, nil
}

// exists tells a file that is not there from a link that leads nowhere: the second one is a registry that we cannot
// read.
func exists(root *os.Root, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err = root.Stat(name); err != nil {
		return false, fmt.Errorf("it is a link that cannot be followed inside the home: %w", unmissing(err))
	}
	return true, nil
}

// unmissing keeps the words of err and hides that it is fs.ErrNotExist: the name itself does exist.
func unmissing(err error) error { return errors.New(err.Error()) }

func gatewayPorts(root *os.Root) ([]int, error) {
	entries, err := fs.ReadDir(root.FS(), ".nemoclaw/gateways")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ports []int
	for _, entry := range entries {
		if port, ok := parsePort(entry.Name()); ok {
			ports = append(ports, port)
		}
	}

	if len(ports) > rootLimit {
		return nil, fmt.Errorf("it holds %d gateway folders, more than the %d that NemoClaw reads", len(ports), rootLimit)
	}
	slices.SortFunc(ports, cmp.Compare[int])
	return ports, nil
}

// parsePort reads a port as a folder name or the end of a gateway name has it: decimal, without sign or leading zero.
func parsePort(text string) (int, bool) {
	port, err := strconv.Atoi(text)
	return port, err == nil && port >= 1 && port <= 65535 && strconv.Itoa(port) == text
}
