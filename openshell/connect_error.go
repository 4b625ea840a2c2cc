package openshell

import (
	"fmt"

	"sandkeeper/internal/text"
)

// ConnectKind says why a gateway's API cannot be used; its values are error kinds of the JSON output.
type ConnectKind string

// The kinds.
const (
	NotRegistered       ConnectKind = "gateway_not_registered" // the CLI knows no such gateway
	BadRegistration     ConnectKind = "config_invalid"         // the CLI's record of it cannot be used
	NoClientCertificate ConnectKind = "tls_client_cert"        // none here, or the gateway did not take it
	UntrustedGateway    ConnectKind = "tls_trust"              // its certificate does not prove that it is the one
	Unauthenticated     ConnectKind = "auth"                   // it does not know who we are
	UnsupportedAuth     ConnectKind = "auth_unsupported"       // it wants to be reached in a way that only the CLI can
	WrongEndpoint       ConnectKind = "wrong_endpoint"         // something else answers there
	Unreachable         ConnectKind = "gateway_unreachable"    // nobody answers, or not in time
	VersionChanged      ConnectKind = "unverified"             // it is not the version that was checked before
)

// ConnectError says that the API of a gateway could not be used, and what to do. Secrets are never part of it.
type ConnectError struct {
	Gateway  string
	Endpoint string // as registered; "" when there is no registration
	Object   string // the file it is about, if one
	Kind     ConnectKind
	Err      error
}

// Error names the gateway, what is wrong, and the next command.
func (e *ConnectError) Error() string {
	written := fmt.Sprintf("gateway %q", e.Gateway)
	if e.Endpoint != "" {
		written += " at " + text.OneLine(e.Endpoint, 120)
	}
	written += ": " + e.Kind.explanation()
	if e.Object != "" {
		written += ": " + text.OneLine(e.Object, 260)
	}
	if e.Err != nil && e.Kind != NotRegistered { // the cause of that says the same
		written += ": " + text.OneLine(e.Err.Error(), 260)
	}
	return written + "; run `" + e.Next() + "`"
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

func (k ConnectKind) explanation() string {
	switch k {
	case NotRegistered:
		return "the openshell CLI does not know it"
	case BadRegistration:
		return "its registration cannot be used"
	case NoClientCertificate:
		return "it needs a client certificate that it accepts"
	case UntrustedGateway:
		return "its TLS certificate cannot be trusted"
	case Unauthenticated:
		return "it does not accept the stored credentials"
	case UnsupportedAuth:
		return "it is reached through an authenticating edge, which only the openshell CLI can do"
	case WrongEndpoint:
		return "what answers there is not its API"
	case VersionChanged:
		return "it was replaced while it was being looked at"
	}
	return "it cannot be reached"
}

// Next is the command that shows or mends the cause.
func (e *ConnectError) Next() string {
	name := text.ShellWord(e.Gateway)
	switch e.Kind {
	case NotRegistered, BadRegistration:
		return "openshell gateway list"
	case Unauthenticated:
		return "openshell gateway login " + name
	case Unreachable, WrongEndpoint, VersionChanged:
		return "sandkeeper gateway status -g " + name
	}
	return "openshell status -g " + name
}
