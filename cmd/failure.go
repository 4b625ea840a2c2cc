package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/diagnose"
	"sandkeeper/drift"
	"sandkeeper/internal/journal"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

// Kinds of failures that several commands have (docs/design.md 4.2).
const (
	kindUnreachable = "gateway_unreachable" // no gateway answered
	kindPartial     = "partial"             // some sandboxes were done, others were not

	kindNotRegistered = "gateway_not_registered" // the openshell CLI has no gateway of that name, or there is no CLI
	kindUnverified    = string(drift.Unverified) // nothing shows that CLI and gateway agree
)

// Failure is an error that knows its exit code, its kind in JSON and what to do about it.
type Failure struct {
	Code ExitCode
	Kind string
	Err  error
	Hint string
	// Said means that the text form has been printed already (the refusal block): only the code and the JSON remain to
	// be given.
	Said bool
}

// Error is the sentence of the cause; code, kind and hint are rendered beside it.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// usage is a Failure for a command line that cannot be understood or lacks something.
func usage(hint, format string, args ...any) *Failure {
	return &Failure{Code: ExitUsage, Kind: "usage", Err: fmt.Errorf(format, args...), Hint: hint}
}

// about names the flag that err is about; nil stays nil.
func about(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// withoutCall is an error about a file without the name of the system call, which tells an operator nothing.
func withoutCall(err error) error {
	if about, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", about.Path, about.Err)
	}
	return err
}

// failureOf is the only place where an error of a lower layer becomes an exit code and a kind.
func failureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if errors.Is(err, context.Canceled) {
		return &Failure{Code: ExitInterrupted, Kind: "interrupted", Err: interruption{err}, Hint: "run the same command again; nothing half-done is visible"}
	}
	for _, translate := range []func(error) *Failure{openshellFailure, inventoryFailure, backupFailure, diskFailure, offHostFailure} {
		if f := translate(err); f != nil {
			return f
		}
	}

	return &Failure{Code: ExitRefused, Kind: "internal", Err: err}
}

// interruption is an error that came of a signal, in an operator's words.
type interruption struct{ err error }

// Error says "interrupted" where the library says "context canceled".
func (i interruption) Error() string {
	return strings.ReplaceAll(i.err.Error(), context.Canceled.Error(), "interrupted")
}

// Unwrap is the error itself.
func (i interruption) Unwrap() error { return i.err }

func openshellFailure(err error) *Failure {
	if errors.Is(err, openshell.ErrNotFound) {
		return &Failure{
			Code: ExitRefused, Kind: kindNotRegistered, Err: err, Hint: installHint,
		}
	}

	if connect, ok := errors.AsType[*openshell.ConnectError](err); ok {
		return connectFailure(connect, err)
	}
	listing, ok := errors.AsType[*openshell.ListingError](err)
	switch {
	case !ok:
		return nil
	case listing.NotRegistered:
		return &Failure{
			Code: ExitUnreachable, Kind: kindNotRegistered, Err: err,
			Hint: "openshell gateway list shows what is registered; " + offlineHint,
		}
	case listing.Unreachable || listing.TimedOut:
		return unreachableFailure(err, listing)
	}

	return listingFailure(err, listing)
}

// unreachableFailure is for a gateway that did not answer. One that was there and did not let us in, or was not
// believed, has a class of its own.
func unreachableFailure(err error, listing *openshell.ListingError) *Failure {
	f := &Failure{
		Code: ExitUnreachable, Kind: "gateway_unreachable", Err: err, Hint: "sandkeeper gateway status shows what is there; " + offlineHint,
	}
	d := diagnose.Classify("openshell "+listing.Op+": "+listing.Output, diagnose.StateCall)
	if d.Class == diagnose.TLSTrust || d.Class == diagnose.TLSClientCert || d.Class == diagnose.WrongEndpoint {
		f.Kind, f.Hint = string(d.Class), strings.Join(append(d.Actions, offlineHint), "\n")
	}
	return f
}

// listingFailure gives a listing that failed with words the class that these words have, and its remedy.
func listingFailure(err error, listing *openshell.ListingError) *Failure {
	f := &Failure{Code: ExitRefused, Kind: "listing_unreadable", Err: err, Hint: "sandkeeper preflight says whether versions differ; " + offlineHint}
	if listing.Exit == 0 || listing.Output == "" {
		return f
	}
	d := diagnose.Classify("openshell "+listing.Op+": "+listing.Output, diagnose.StateCall)
	switch d.Class {
	case diagnose.Auth, diagnose.TLSTrust, diagnose.TLSClientCert, diagnose.WrongEndpoint, diagnose.VersionSkew,
		diagnose.DBLocked, diagnose.MigrationIncompatibleDB:
		f.Kind = string(d.Class)
		f.Hint = strings.Join(append(d.Actions, offlineHint), "\n")
	}

	return f
}

// connectFailure is for a gateway whose own API could not be used. The kinds are those of the JSON contract; an
// unsupported way of authenticating is an "auth" for scripts.
func connectFailure(connect *openshell.ConnectError, err error) *Failure {
	f := &Failure{Code: ExitUnreachable, Kind: string(connect.Kind), Err: err, Hint: connect.Next()}
	if connect.Kind == openshell.UnsupportedAuth {
		f.Kind = "auth"
	}
	return f
}

const installHint = "install openshell where this user may execute it, or set NEMOCLAW_OPENSHELL_BIN; `sandkeeper backup-all --offline` needs no openshell"

const offlineHint = "`sandkeeper backup-all --offline` saves labelled sandboxes without the gateway"

func inventoryFailure(err error) *Failure {
	if port, ok := errors.AsType[*survey.PortError](err); ok {
		return usage("give a port from 1024 to 65535, or unset it", "%w", port)
	}
	if unheard, ok := errors.AsType[*survey.NeverHeardOfError](err); ok {
		return notRegistered(unheard.Gateway)
	}
	if silent, ok := errors.AsType[*survey.SilentCLIError](err); ok {
		return silentFailure(silent)
	}
	if broken, ok := errors.AsType[*sandbox.RegistryError](err); ok {
		return &Failure{Code: ExitRefused, Kind: "registry_invalid", Err: err, Hint: broken.Hint()}
	}
	if errors.Is(err, sandbox.ErrNoInventory) {
		return &Failure{Code: ExitRefused, Kind: "listing_unreadable", Err: err, Hint: noEngineHint}
	}

	if missing, ok := errors.AsType[*store.NotFoundError](err); ok {
		return &Failure{Code: ExitNotFound, Kind: "not_found", Err: missing, Hint: listHint}
	}
	if unknown, ok := errors.AsType[*backup.UnknownSandboxError](err); ok {
		return &Failure{Code: ExitNotFound, Kind: "not_found", Err: unknown, Hint: "sandkeeper backup-all --dry-run shows the inventory"}
	}
	return nil
}

// noEngineHint is for a host on which no container engine answers.
const noEngineHint = "start the container engine, run as a user who may open its socket (root, or one of its group), or set DOCKER_HOST to the one that runs the sandboxes; " +
	"sandkeeper preflight shows where it was looked for"

// silentFailure is for sandboxes that were not asked for, because no command line could be run.
func silentFailure(silent *survey.SilentCLIError) *Failure {
	f := &Failure{Code: ExitUnreachable, Kind: kindUnreachable, Err: silent, Hint: offlineHint}
	if silent.Missing {
		f.Hint = installHint
	}
	return f
}

func backupFailure(err error) *Failure {
	if locked, ok := errors.AsType[*store.LockedError](err); ok {
		return &Failure{Code: ExitLocked, Kind: "locked", Err: locked, Hint: "wait for that run to end, then run this command again"}
	}
	if held, ok := errors.AsType[*journal.HeldError](err); ok {
		return &Failure{Code: ExitLocked, Kind: "locked", Err: err, Hint: "wait for " + held.Holder.Name() + " to end, then run this command again"}
	}
	if _, ok := errors.AsType[*archive.DamageError](err); ok {
		return &Failure{
			Code: ExitDamaged, Kind: "verification_failed", Err: err,
			Hint: "do not delete it; sandkeeper backups list shows the other backups of this sandbox",
		}
	}
	return nil
}

func diskFailure(err error) *Failure {
	_, oneHome := errors.AsType[*store.SpaceError](err)
	_, allHomes := errors.AsType[*backup.NoRoomError](err)
	full, ofState := errors.AsType[*journal.FullError](err)
	switch {
	case ofState:
		return &Failure{Code: ExitRefused, Kind: "internal", Err: err, Hint: fmt.Sprintf("make room on the disk of %s, or set XDG_STATE_HOME to a folder on another one", full.Dir)}
	case oneHome || allHomes || errors.Is(err, syscall.ENOSPC):
		return &Failure{Code: ExitRefused, Kind: "internal", Err: err, Hint: "make room, for instance with: sandkeeper backups prune --keep 3; or choose another --backup-dir"}
	case errors.Is(err, archive.ErrNoIdentity):
		return &Failure{Code: ExitUsage, Kind: "usage", Err: err, Hint: noIdentityHint}
	}

	return nil
}

// noIdentityHint is what opens a backup that nothing opened.
const noIdentityHint = "add --identity FILE with the age key that the backup was encrypted to"
