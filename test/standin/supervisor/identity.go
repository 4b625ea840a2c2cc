package supervisor

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sandkeeper/test/e2e/gateway"
)

// identity is whom the agent runs as.
type identity struct{ uid, gid uint32 }

// identity follows the policy where it names user and group, else the image's USER, which may not be root
// (crates/openshell-supervisor-process/src/identity.rs).
func (s Supervisor) identity() (identity, error) {
	claims, err := s.claims()
	if err != nil {
		return identity{}, err
	}
	declared := s.Environment["OPENSHELL_OCI_IMAGE_USER"]
	user, group, grouped := strings.Cut(declared, ":")
	if claims.RunAsUser != "" {
		user = claims.RunAsUser
	} else if err := mayRun(user, declared); err != nil {
		return identity{}, err
	}

	account, known := s.account("etc/passwd", user)
	id, err := idOf(user, account, 2)
	if err != nil {
		return identity{}, fmt.Errorf("OCI USER name '%s' was not found in /etc/passwd", user)
	}
	switch {
	case claims.RunAsGroup != "":
		group = claims.RunAsGroup
	case !grouped && !known:
		return identity{}, fmt.Errorf("OCI USER '%s' uses a numeric UID without an explicit group, but /etc/passwd has no matching primary GID", declared)
	case !grouped:
		group = account[3]
	case group == "":
		return identity{}, fmt.Errorf("OCI USER '%s' has an empty group component", declared)
	}

	team, _ := s.account("etc/group", group)
	gid, err := idOf(group, team, 2)
	if err != nil {
		return identity{}, fmt.Errorf("OCI group '%s' was not found in /etc/group", group)
	}
	if claims.RunAsUser == "" && id == 0 {
		return identity{}, fmt.Errorf("OCI USER '%s' resolves to prohibited UID 0", declared)
	}
	return identity{id, gid}, nil
}

// mayRun holds the user part of an image's USER against the names of root.
func mayRun(user, declared string) error {
	uid, err := strconv.ParseUint(user, 10, 32)
	switch {
	case user == "":
		return errors.New("OCI USER is required because run_as_user is omitted")
	case user == "root":
		return fmt.Errorf("OCI USER '%s' selects root", declared)
	case err == nil && uid == 0:
		return fmt.Errorf("OCI USER '%s' selects UID 0", declared)
	}
	return nil
}

// account is the line of a user or a group by its name or its number.
func (s Supervisor) account(file, who string) (fields []string, known bool) {
	content, err := os.ReadFile(filepath.Join(s.Root, file))
	if err != nil {
		return nil, false
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) >= 4 && (fields[0] == who || fields[2] == who) {
			return fields, true
		}
	}
	return nil, false
}

// idOf is the number of a user or a group: its own, or the one in that field of its line.
func idOf(who string, line []string, field int) (uint32, error) {
	if len(line) > field {
		who = line[field]
	}
	id, err := strconv.ParseUint(who, 10, 32)
	return uint32(id), err
}

// claims are those of the sandbox's token.
func (s Supervisor) claims() (claims gateway.Claims, err error) {
	path := s.Environment["OPENSHELL_SANDBOX_TOKEN_FILE"]
	token, err := os.ReadFile(filepath.Join(s.Root, path))
	if err != nil {
		return claims, fmt.Errorf("failed to read sandbox token: %w", err)
	}
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return claims, errors.New("the sandbox token is no JWT")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims, err
	}
	return claims, json.Unmarshal(body, &claims)
}
