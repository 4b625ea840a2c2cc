package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	dockernetwork "github.com/docker/docker/api/types/network"
)

// networkName is Docker's network that all sandboxes of a host share (DEFAULT_DOCKER_NETWORK_NAME).
const networkName = "openshell-docker"

// network is where the sandboxes find their gateway.
type network struct{ gateway string }

// prepare puts what every sandbox needs on the host: the network, the supervisor's program, the certificates.
func (d *Docker) prepare(ctx context.Context) error {
	var err error
	if d.network, err = d.ensureNetwork(ctx); err != nil {
		return fmt.Errorf("the network %s: %w", networkName, err)
	}
	if err := d.installSupervisor(); err != nil {
		return fmt.Errorf("the supervisor: %w", err)
	}
	if d.TLS == nil {
		return nil
	}
	files := map[string][]byte{"ca.crt": d.TLS.CA, "client/tls.crt": d.TLS.ClientCert, "client/tls.key": d.TLS.ClientKey}
	for name, content := range files {
		if err := place(d.tlsFile(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (d *Docker) ensureNetwork(ctx context.Context) (network, error) {
	_, err := d.Client.NetworkCreate(ctx, networkName, dockernetwork.CreateOptions{
		Driver: "bridge", Attachable: true, Labels: map[string]string{labelManagedBy: "openshell"},
	})
	if err != nil && !errdefs.IsConflict(err) { // another gateway made it
		return network{}, err
	}
	seen, err := d.Client.NetworkInspect(ctx, networkName, dockernetwork.InspectOptions{})
	if err != nil {
		return network{}, err
	}
	if len(seen.IPAM.Config) == 0 {
		return network{}, errors.New("it has no gateway address")
	}
	return network{gateway: seen.IPAM.Config[0].Gateway}, nil
}

// supervisorFile is the path of the supervisor's program, which the real driver takes out of an image and keeps by that image's digest.
func (d *Docker) supervisorFile() (path string, content []byte, err error) {
	content, err = os.ReadFile(d.Supervisor)
	sum := sha256.Sum256(content)
	return filepath.Join(d.Home, ".local/share/openshell/docker-supervisor/sha256-"+hex.EncodeToString(sum[:]), "openshell-sandbox"), content, err
}

func (d *Docker) installSupervisor() error {
	path, content, err := d.supervisorFile()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return place(path, content, 0o755)
}

func (d *Docker) tlsFile(name string) string {
	return filepath.Join(d.Home, ".local/state/openshell/tls", name)
}

func (d *Docker) tokenFile(id string) string {
	return filepath.Join(d.Home, ".local/state/openshell/docker-sandbox-tokens", d.Namespace, id, "sandbox.jwt")
}

// Claims are what a sandbox's token says. The real supervisor asks its gateway for the policy; ours has no network and finds here what of
// it decides whom the agent runs as.
type Claims struct {
	Subject    string `json:"sub"`
	RunAsUser  string `json:"run_as_user,omitempty"`
	RunAsGroup string `json:"run_as_group,omitempty"`
}

// writeToken puts a sandbox's token on the host. Nobody holds its signature against anything.
func (d *Docker) writeToken(s Sandbox) error {
	claims := Claims{Subject: s.ID}
	claims.RunAsUser, claims.RunAsGroup = s.runAs()
	body, err := json.Marshal(claims)
	if err != nil {
		return err
	}
	encoded := base64.RawURLEncoding.EncodeToString
	return place(d.tokenFile(s.ID), []byte(encoded([]byte(`{"alg":"EdDSA","typ":"JWT"}`))+"."+encoded(body)+"."+encoded([]byte(NewID()))+"\n"), 0o600)
}

// removeToken removes it and its folder; what is not there needs no removal.
func (d *Docker) removeToken(s Sandbox) {
	_ = os.Remove(d.tokenFile(s.ID))
	_ = os.Remove(filepath.Dir(d.tokenFile(s.ID)))
}

// runAs are the user and the group of the policy: process4{run_as_user1, run_as_group2}.
func (s Sandbox) runAs() (user, group string) {
	content, _ := s.policy()
	policy, err := decode(content)
	if err != nil {
		return "", ""
	}
	for _, f := range policy {
		if f.number != 4 {
			continue
		}
		process, err := decode(f.bytes)
		if err != nil {
			return "", ""
		}
		for _, p := range process {
			switch p.number {
			case 1:
				user = string(p.bytes)
			case 2:
				group = string(p.bytes)
			}
		}
	}
	return user, group
}

func place(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, mode)
}
