package gateway

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"sandkeeper/internal/trust"
)

// Launch is how a gateway was started by hand: what it takes to start it again the same way. It holds no credential.
type Launch struct {
	Program string
	Args    []string // after the program
	Env     []string // NAME=value of OpenShell's own variables, and of the folders that it keeps its state in
	Dir     string   // the working folder
}

// LaunchOf is how the live process of gateway t was started. It reports false where no process of this user is seen,
// where NemoClaw starts it, and where a credential is a part of its command line or of its environment: that is
// recorded nowhere.
func LaunchOf(ctx context.Context, o Options, t Target) (Launch, bool) {
	o = o.filled()
	if t.Err != nil || t.Remote || o.managed(t) {
		return Launch{}, false
	}
	found := o.sight(ctx, t, o.readMarker(t)).found
	if found == nil || found.UID != o.UID || found.shape == compat || len(found.Args) == 0 {
		return Launch{}, false
	}
	image, path, err := o.Processes.Image(ctx, found.PID)
	if err != nil {
		return Launch{}, false
	}
	_ = image.Close()
	holds := o.Processes.Holds(ctx, found.PID)
	l := Launch{Program: strings.TrimSuffix(path, " (deleted)"), Args: found.Args[1:], Env: launchEnv(holds.Env), Dir: holds.Dir}
	return l, filepath.Base(l.Program) == gatewayProgram && !l.secret()
}

// launchEnv are the variables that decide what a gateway does (docs/facts/openshell.md 1.3).
func launchEnv(all []string) []string {
	var own []string
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "OPENSHELL_") || strings.HasPrefix(name, "XDG_") && strings.HasSuffix(name, "_HOME") {
			own = append(own, entry)
		}
	}

	slices.Sort(own)
	return own
}

// secret reports whether a credential is in l.
func (l Launch) secret() bool {
	for i, arg := range l.Args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(l.Args) {
			value = l.Args[i+1]
		}
		if strings.HasPrefix(name, "-") && secretValue(name, value) || SecretFile("", []byte(arg)) {
			return true
		}
	}
	return slices.ContainsFunc(l.Env, func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		return secretValue(name, value) || SecretFile("", []byte(value))
	})
}

// secretValue reports whether what has this name is a credential. The path of a file that holds one is none.
func secretValue(name, value string) bool {
	if value == "" || filepath.IsAbs(value) {
		return false
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"secret", "token", "password", "passphrase", "key"}, func(word string) bool { return strings.Contains(name, word) })
}

// Starts reports whether l can be started again by user uid: its program is still there and safe to execute.
func (l Launch) Starts(uid int) bool {
	return filepath.IsAbs(l.Program) && filepath.Base(l.Program) == gatewayProgram && trust.Executable(l.Program, uid) == nil
}
