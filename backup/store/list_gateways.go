package store

import (
	"fmt"
	"slices"
	"strings"
)

// GatewaysError says that backups of two sandboxes of one name lie together: the same name on two gateways is two sandboxes, and
// "latest" may not mean the other one's memory.
type GatewaysError struct {
	Sandbox  string
	Gateways []string
}

// Error names the sandbox and the gateways.
func (e *GatewaysError) Error() string {
	return fmt.Sprintf("backups under the name %q are of different sandboxes, on gateways %s", e.Sandbox, strings.Join(e.Gateways, ", "))
}

// GatewayOf is the gateway in the newest manifest of that sandbox id; "" when no backup under the name says one.
func (s *Store) GatewayOf(sandbox, id string) string {
	all, err := s.Backups(sandbox)
	if err != nil || id == "" {
		return ""
	}
	for _, b := range all {
		if b.Whole() && b.Manifest.SandboxID == id && b.Manifest.Gateway != "" {
			return b.Manifest.Gateway
		}
	}
	return ""
}

// LatestOn is the newest whole backup of the sandbox on that gateway; "" stands for the only gateway that the sandbox's backups name,
// and is a *GatewaysError when they name several.
func (s *Store) LatestOn(sandbox, gateway string) (Backup, error) {
	all, err := s.Backups(sandbox)
	if err != nil {
		return Backup{}, err
	}
	var ids, gateways []string
	for _, b := range all {
		of := ""
		if b.Whole() {
			of = b.Manifest.Gateway
		}
		if of != "" && !slices.Contains(gateways, of) {
			gateways = append(gateways, of)
		}
		if gateway == "" || of == "" || of == gateway {
			ids = append(ids, b.ID)
		}
	}
	if gateway == "" && len(gateways) > 1 {
		slices.Sort(gateways)
		return Backup{}, &GatewaysError{Sandbox: sandbox, Gateways: gateways}
	}
	return s.latest(sandbox, ids)
}
