package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// supervisorFile is the path of the supervisor's program, which the real driver takes out of an image and keeps by that
// image's digest.
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
	return d.place(path, content, 0o755)
}

func (d *Docker) tlsFile(name string) string {
	return filepath.Join(d.Home, ".local/state/openshell/tls", name)
}

func (d *Docker) tokenFile(id string) string {
	return filepath.Join(d.Home, ".local/state/openshell/docker-sandbox-tokens", d.Namespace, id, "sandbox.jwt")
}

// Claims are what a sandbox's token says. The real supervisor asks its gateway for the policy; ours has no network and
// finds here what of it decides whom the agent runs as.
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
	return d.place(d.tokenFile(s.ID), []byte(encoded([]byte(`{"alg":"EdDSA","typ":"JWT"}`))+"."+encoded(body)+"."+encoded([]byte(NewID()))+"\n"), 0o600)
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

func (d *Docker) place(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		return err
	}
	home, err := os.Stat(d.Home)
	if err != nil {
		return err
	}
	owner := home.Sys().(*syscall.Stat_t)
	for ; path != filepath.Clean(d.Home) && strings.HasPrefix(path, d.Home); path = filepath.Dir(path) {
		if err := os.Lchown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}

	return nil
}
