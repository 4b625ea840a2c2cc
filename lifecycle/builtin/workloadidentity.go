package builtin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"sandkeeper/internal/pattern"
	"sandkeeper/lifecycle"
)

// identitySchema is the version of the state of workload-identity: identityState as JSON.
const identitySchema = 1

// The folder that holds the token, on the host and in the sandbox. A folder, not the file: tokens are renewed by
// renaming a new file into place, and a mounted file would stay the old one.
const (
	defaultTokenFolder = "/var/run/secrets/openshell/aws"
	tokenFile          = "token"
)

// maxARN is the longest role ARN that IAM hands out.
const maxARN = 2048

// An IAM role ARN: partition, no region, twelve digits, an optional path, a name of at most 64 of IAM's characters
// (docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
var roleARN = pattern.Of(`^arn:aws(-[a-z]+){0,3}:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9+=,.@_-]{1,64}$`)

// WorkloadIdentity lets what runs in a sandbox act as a cloud role without a stored key. For AWS, by web identity:
//
//	[compute.extension."workload-identity"]
//	provider = "aws"
//	role_arn = "arn:aws:iam::123456789012:role/openshell-sandbox"
//	token_source = "/var/run/secrets/openshell/aws"   # folder on the host that holds the file "token"
//	token_target = "/var/run/secrets/openshell/aws"   # where the sandbox sees it, read-only
func WorkloadIdentity() lifecycle.Definition {
	return lifecycle.Define("workload-identity", "gives every sandbox a cloud role by web identity (AWS)", []uint32{identitySchema}, newIdentity)
}

type identityConfig struct {
	Provider    string `toml:"provider"`
	RoleARN     string `toml:"role_arn"`
	TokenSource string `toml:"token_source"`
	TokenTarget string `toml:"token_target"`
}

type identityState struct {
	RoleARN   string `json:"role_arn"`
	TokenFile string `json:"token_file"`
}

type identity struct {
	lifecycle.Defaults
	role           string
	source, target string
}

func newIdentity(config identityConfig) (lifecycle.Extension, error) {
	if config.Provider != "aws" {
		return nil, lifecycle.BadValue("provider", "%q is not a provider; known: aws", config.Provider)
	}
	if len(config.RoleARN) > maxARN || !roleARN().MatchString(config.RoleARN) {
		return nil, lifecycle.BadValue("role_arn", "%q is not the ARN of an IAM role, such as arn:aws:iam::123456789012:role/NAME", config.RoleARN)
	}
	source, err := folder("token_source", config.TokenSource)
	if err != nil {
		return nil, err
	}
	target, err := folder("token_target", config.TokenTarget)
	if err != nil {
		return nil, err
	}
	return &identity{role: config.RoleARN, source: source, target: target}, nil
}

func folder(key, value string) (string, error) {
	if value == "" {
		return defaultTokenFolder, nil
	}
	if !path.IsAbs(value) || path.Clean(value) != value || value == "/" {
		return "", lifecycle.BadValue(key, "%q is not a clean absolute path of a folder", value)
	}
	return value, nil
}

// BeforeCreate adds the two variables that every AWS SDK reads, and the mount they point into.
func (i *identity) BeforeCreate(ctx context.Context, _ lifecycle.Sandbox, add *lifecycle.Builder) (*lifecycle.State, error) {
	token := path.Join(i.target, tokenFile)
	err := errors.Join(
		add.AddEnv("AWS_ROLE_ARN", i.role),
		add.AddEnv("AWS_WEB_IDENTITY_TOKEN_FILE", token),
		add.AddMount(lifecycle.Mount{Source: i.source, Target: i.target, ReadOnly: true}),
	)
	if err != nil {
		return nil, err
	}
	if missing := i.missing(); missing != "" {
		lifecycle.Emit(ctx, lifecycle.SeverityMedium, missing, map[string]string{"role_arn": i.role})
	}
	return lifecycle.NewState(identitySchema, identityState{RoleARN: i.role, TokenFile: token})
}

// AfterCreateFailed has nothing to undo: the role and the token are the operator's, not made here.
func (*identity) AfterCreateFailed(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// AfterDelete has nothing to release.
func (*identity) AfterDelete(context.Context, lifecycle.Sandbox, *lifecycle.State) (*lifecycle.State, error) {
	return nil, nil
}

// Reconcile reports a role that is configured differently since, and a token that is not on this host.
func (i *identity) Reconcile(_ context.Context, sandbox lifecycle.Sandbox, state *lifecycle.State) (lifecycle.ReconcileOutcome, error) {
	if sandbox.Presence == lifecycle.Missing {
		return lifecycle.ReconcileOutcome{Authority: lifecycle.Authoritative}, nil
	}
	var bound identityState
	if state != nil {
		if err := state.Decode(&bound); err != nil {
			return lifecycle.ReconcileOutcome{}, fmt.Errorf("its state is not a role binding: %w", err)
		}
	}

	var outcome lifecycle.ReconcileOutcome
	if bound.RoleARN != i.role {
		outcome.Drift = append(outcome.Drift, fmt.Sprintf("the sandbox has role %q, %q is configured; it gets that when it is next recreated", bound.RoleARN, i.role))
	}
	if missing := i.missing(); missing != "" {
		outcome.Drift = append(outcome.Drift, missing)
	}
	return outcome, nil
}

// missing says that the token is not on this host; "" when it is. It stops nothing: whoever issues tokens may come
// later, and a remote driver mounts from another host.
func (i *identity) missing() string {
	file := filepath.Join(i.source, tokenFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("token file %q is not on this host", file)
	}
	return ""
}
