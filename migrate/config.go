package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Proposal is a gateway.toml of version 2 that says what one of version 1 said (docs/facts/openshell-0.1.md 4.1).
type Proposal struct {
	Text    []byte   // the whole file
	Changes []string // what differs from the old one, in words
	Manual  []string // what a person must decide: the gateway does not start, or means something else, until then
}

// ErrConfigIsNew says that a gateway.toml is of version 2 already.
var ErrConfigIsNew = errors.New("it is of version 2 already")

// table is a table of TOML.
type table = map[string]any

// conversion is a proposal under construction.
type conversion struct {
	Proposal
	gateway, drivers table
	driver           string // the selected one; "" when the file does not say
}

// ProposeConfig makes the proposal. Comments are not carried over. The error wraps ErrConfigIsNew where there is
// nothing to do.
func ProposeConfig(old []byte) (Proposal, error) {
	var file table
	if err := toml.Unmarshal(old, &file); err != nil {
		return Proposal{}, fmt.Errorf("it is no TOML: %w", err)
	}
	root := under(file, "openshell")
	switch version, said := root["version"].(int64); {
	case said && version == 2:
		return Proposal{}, ErrConfigIsNew
	case said && version != 1:
		return Proposal{}, fmt.Errorf("its version is %d, which this program does not know", version)
	}

	root["version"] = int64(2)
	c := &conversion{gateway: under(root, "gateway"), drivers: under(root, "drivers")}
	c.changed("version = 2")
	c.selectDriver()
	c.moveDriverKeys()
	c.dropClientCertificate()
	for _, name := range slices.Sorted(maps.Keys(c.drivers)) {
		if settings, is := c.drivers[name].(table); is {
			c.convertDriver(name, settings)
		}
	}

	c.dropZero(under(c.gateway, "gateway_jwt"), "openshell.gateway.gateway_jwt", "ttl_secs")
	c.judgeAuthentication()
	prune(root)
	text, err := toml.Marshal(file)
	c.Text = append([]byte(heading), text...)
	return c.Proposal, err
}

const heading = `# Proposed by sandkeeper migrate plan out of the gateway.toml of version 1 beside it. Read it, then check it with the
# gateway of 0.1.x before anything starts: openshell-gateway config preflight --path THIS-FILE

`

// under is a table within a table, made where there is none.
func under(parent table, name string) table {
	if child, is := parent[name].(table); is {
		return child
	}
	child := table{}
	parent[name] = child
	return child
}

// prune removes tables that are empty.
func prune(parent table) {
	for name, value := range parent {
		if child, is := value.(table); is {
			if prune(child); len(child) == 0 {
				delete(parent, name)
			}
		}
	}
}

func (c *conversion) changed(format string, args ...any) {
	c.Changes = append(c.Changes, fmt.Sprintf(format, args...))
}

func (c *conversion) decide(format string, args ...any) {
	c.Manual = append(c.Manual, fmt.Sprintf(format, args...))
}

// selectDriver makes the list of drivers a scalar. Without one, the only driver with a table is the one.
func (c *conversion) selectDriver() {
	list, is := c.gateway["compute_drivers"].([]any)
	delete(c.gateway, "compute_drivers")
	switch {
	case is && len(list) == 1:
		c.driver = fmt.Sprint(list[0])
		c.gateway["compute_driver"] = c.driver
		c.changed("compute_drivers = [%q] is compute_driver = %[1]q", c.driver)
	case is && len(list) > 1:
		c.decide("compute_drivers named %d drivers (%v): version 2 takes one; add compute_driver = \"NAME\" to [openshell.gateway]", len(list), list)
	case len(c.drivers) == 1:
		for name := range c.drivers {
			c.driver = name
		}
	}
}

// driverKeys are options of drivers that a version 1 took from [openshell.gateway] for whichever driver it ran.
func driverKeys() []string {
	return []string{
		"client_tls_secret_name", "default_image", "enable_user_namespaces", "host_gateway_ip", "image_pull_policy", "sa_token_ttl_secs",
		"sandbox_namespace", "sandbox_pids_limit", "service_account_name", "supervisor_image",
	}
}

// moveDriverKeys moves them into the driver's own table, whose own word counts.
func (c *conversion) moveDriverKeys() {
	for _, key := range driverKeys() {
		value, there := c.gateway[key]
		if !there {
			continue
		}
		delete(c.gateway, key)
		if c.driver == "" {
			c.decide("%s stood in [openshell.gateway]: it belongs into [openshell.drivers.NAME] of the driver that is used", key)
			continue
		}
		settings := under(c.drivers, c.driver)
		if _, own := settings[key]; !own {
			settings[key] = value
		}
		c.changed("%s is in [openshell.drivers.%s]", key, c.driver)
	}
}

// dropClientCertificate removes what sandboxes had of the client's: those of 0.1.x have tokens.
func (c *conversion) dropClientCertificate() {
	for _, key := range []string{"guest_tls_cert", "guest_tls_key"} {
		if _, there := c.gateway[key]; there {
			delete(c.gateway, key)
			c.changed("%s is gone: sandboxes of 0.1.x have tokens, and need guest_tls_ca only", key)
		}
	}
}

// renamed are keys that a driver calls by another name now.
func renamed(driver string) map[string]string {
	return map[string]map[string]string{
		"docker": {"sandbox_namespace": "sandbox_label"},
		"podman": {"sandbox_ssh_socket_path": "ssh_socket_path"},
		"vm":     {"openshell_endpoint": "grpc_endpoint"},
	}[driver]
}

// dockerKeys are the options of the docker driver of 0.1.x; it refuses any other.
func dockerKeys() []string {
	return []string{
		"allow_driver_config", "app_armor_profile", "default_image", "enable_bind_mounts", "grpc_endpoint", "https_proxy", "image_pull_policy",
		"no_proxy", "provider_spiffe_workload_api_socket", "proxy_auth_allow_insecure", "proxy_auth_file", "proxy_ca_bundle",
		"proxy_connect_by_hostname", "resource_admission", "sandbox_label", "sandbox_pids_limit", "sandbox_runtime_image", "socket_path",
		"supervisor_image",
	}
}

func (c *conversion) convertDriver(name string, settings table) {
	where := "openshell.drivers." + name
	for _, old := range slices.Sorted(maps.Keys(renamed(name))) {
		if value, there := settings[old]; there {
			delete(settings, old)
			settings[renamed(name)[old]] = value
			c.changed("%s in [%s] is %s", old, where, renamed(name)[old])
		}
	}

	c.pullPolicy(where, settings)
	c.unpin(where, settings)
	c.dropZero(settings, where, "sandbox_pids_limit")
	c.dropZero(settings, where, "health_check_interval_secs")
	if _, there := settings["grpc_endpoint"]; there && name != "kubernetes" {
		delete(settings, "grpc_endpoint")
		c.changed("grpc_endpoint in [%s] is gone: supervisors of 0.1.x use the gateway's own address; set it again where that is wrong", where)
	}
	if name != "docker" {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(dockerKeys(), key) {
			delete(settings, key)
			c.changed("%s in [%s] is gone: the driver of 0.1.x does not know it, and refuses what it does not know", key, where)
		}
	}
}

// pullPolicy spells the policy as version 2 does: always, if_not_present, never, newer.
func (c *conversion) pullPolicy(where string, settings table) {
	value, is := settings["image_pull_policy"].(string)
	if !is {
		return
	}
	spelt := map[string]string{"always": "always", "ifnotpresent": "if_not_present", "missing": "if_not_present", "never": "never", "newer": "newer"}
	letters := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(value))
	if want := cmp.Or(spelt[letters], value); want != value {
		settings["image_pull_policy"] = want
		c.changed("image_pull_policy = %q in [%s] is %q", value, where, want)
	}
}

// unpin drops a supervisor of 0.0.x: an image that is pinned outlives every upgrade.
func (c *conversion) unpin(where string, settings table) {
	image, is := settings["supervisor_image"].(string)
	if _, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":"); is && strings.HasPrefix(strings.TrimPrefix(tag, "v"), "0.0.") {
		delete(settings, "supervisor_image")
		c.changed("supervisor_image = %q in [%s] is gone: a gateway of 0.1.x takes its own", image, where)
	}
}

// dropZero removes a 0 that meant "the default": version 2 takes it for a mistake.
func (c *conversion) dropZero(settings table, where, key string) {
	if value, is := settings[key].(int64); is && value == 0 {
		delete(settings, key)
		c.changed("%s = 0 in [%s] is left out, which means the same", key, where)
	}
}

// judgeAuthentication finds a gateway that nobody has to prove himself to: 0.1.6 does not start so
// (docs/facts/openshell-0.1.md 2.2).
func (c *conversion) judgeAuthentication() {
	plain, _ := c.gateway["disable_tls"].(bool)
	_, oidc := c.gateway["oidc"].(table)
	auth, _ := c.gateway["auth"].(table)
	open, _ := auth["allow_unauthenticated_users"].(bool)
	if plain && !oidc && !open {
		c.decide("disable_tls is on and nothing authenticates users: from 0.1.6 on the gateway does not start so. Take disable_tls out, or set " +
			"allow_unauthenticated_users = true in [openshell.gateway.auth]")
	}
}
