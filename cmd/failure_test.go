package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"sandkeeper/backup"
	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/ui"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Every typed error of the layers below has its code and kind, however deep it is wrapped, and where somebody can do something the
// hint names the next command.
func TestFailureOfEveryTypedError(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		code ExitCode
		kind string
		next string // what the hint must say
	}{
		"no openshell":       {openshell.ErrNotFound, ExitRefused, "gateway_not_registered", "backup-all --offline"},
		"listing, no such":   {&openshell.ListingError{Gateway: "g", Op: "sandbox list", NotRegistered: true}, ExitUnreachable, "gateway_not_registered", "openshell gateway list"},
		"listing, no answer": {&openshell.ListingError{Gateway: "g", Op: "sandbox list", Unreachable: true}, ExitUnreachable, "gateway_unreachable", "sandkeeper gateway status"},
		"listing, not let in": {
			&openshell.ListingError{Gateway: "g", Op: "sandbox list", Unreachable: true, Exit: 1, Output: `Error: code: 'Unknown error', message: "transport error", source: tonic::transport::Error(Transport, hyper::Error(Io, Custom { kind: InvalidData, error: "received fatal alert: UnknownCA" }))`},
			ExitUnreachable, "tls_client_cert", "openshell gateway list",
		},
		"listing, not believed": {
			&openshell.ListingError{Gateway: "g", Op: "sandbox list", Unreachable: true, Exit: 1, Output: "Error: transport error Diagnostic severity: error Caused by: invalid peer certificate: UnknownIssuer"},
			ExitUnreachable, "tls_trust", "openshell status",
		},
		"listing, of something else": {
			&openshell.ListingError{Gateway: "g", Op: "sandbox list", Unreachable: true, Exit: 1, Output: `Error: status: Unknown, message: "h2 protocol error: http2 error", details: [], metadata: MetadataMap { headers: {} } Diagnostic severity: error Caused by: transport error Caused by: http2 error Caused by: connection error detected: frame with invalid size`},
			ExitUnreachable, "wrong_endpoint", "openshell gateway list",
		},
		"listing, no certificate": {
			&openshell.ListingError{Gateway: "g", Op: "sandbox list", Exit: 1, Output: "Error: failed to read TLS cert from /h/.config/openshell/gateways/g/mtls/tls.crt Diagnostic severity: error Caused by: No such file or directory (os error 2)"},
			ExitRefused, "tls_client_cert", "openshell gateway list",
		},
		"listing, too slow":      {&openshell.ListingError{Gateway: "g", Op: "sandbox list", TimedOut: true}, ExitUnreachable, "gateway_unreachable", "--offline"},
		"listing, gibberish":     {&openshell.ListingError{Gateway: "g", Op: "sandbox list", Output: "?"}, ExitRefused, "listing_unreadable", "sandkeeper preflight"},
		"registry":               {&sandbox.RegistryError{Path: "/h/sandboxes.json", Err: errors.New("cut off")}, ExitRefused, "registry_invalid", "/h/sandboxes.json"},
		"nothing to ask":         {fmt.Errorf("inventory: %w", sandbox.ErrNoInventory), ExitRefused, "listing_unreadable", "DOCKER_HOST"},
		"no such backup":         {&store.NotFoundError{Sandbox: "alpha", ID: "x"}, ExitNotFound, "not_found", "sandkeeper backups list"},
		"no such sandbox":        {&backup.UnknownSandboxError{Name: "alpha"}, ExitNotFound, "not_found", "sandkeeper backup-all --dry-run"},
		"locked":                 {&store.LockedError{PID: 42}, ExitLocked, "locked", "run this command again"},
		"damage":                 {&archive.DamageError{Kind: archive.DamageDigest, Object: "a", Err: errors.New("b")}, ExitDamaged, "verification_failed", "do not delete it"},
		"no room for one":        {&store.SpaceError{Sandbox: "alpha"}, ExitRefused, "internal", "backups prune --keep"},
		"no room for all":        {&backup.NoRoomError{Sandboxes: 2}, ExitRefused, "internal", "--backup-dir"},
		"the disk is full":       {&fs.PathError{Op: "write", Path: "/b", Err: syscall.ENOSPC}, ExitRefused, "internal", "make room"},
		"encrypted":              {archive.ErrNoIdentity, ExitUsage, "usage", "--identity FILE"},
		"interrupted":            {context.Canceled, ExitInterrupted, "interrupted", "run the same command again"},
		"a failure as it is":     {notFound("nothing is called %q", "x"), ExitNotFound, "not_found", "sandkeeper backups list"},
		"interrupted in a list":  {&openshell.ListingError{Op: "sandbox list", Err: context.Canceled}, ExitInterrupted, "interrupted", "run the same command again"},
		"what nobody thought of": {errors.New("moon"), ExitRefused, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for depth, err := range []error{tc.err, fmt.Errorf("sandbox %q: %w", "alpha", tc.err), errors.Join(errors.New("and more"), tc.err)} {
				f := failureOf(err)
				if f.Code != tc.code || f.Kind != tc.kind || !strings.Contains(f.Hint, tc.next) {
					t.Errorf("wrapped %d times: %d %s %q, want %d %s and a hint with %q", depth, f.Code, f.Kind, f.Hint, tc.code, tc.kind, tc.next)
				}
				if f.Error() == "" || strings.Contains(f.Error(), "%!") || strings.Contains(f.Error(), "context canceled") {
					t.Errorf("says %q", f.Error())
				}
			}
		})
	}
	if failureOf(nil) != nil {
		t.Error("no error is a failure")
	}
}

// screen is a terminal whose output can be read.
func screen() (*terminal, *bytes.Buffer) {
	var out bytes.Buffer
	return &terminal{Streams: &ui.Streams{In: strings.NewReader(""), Out: &out, Err: &out}}, &out
}
