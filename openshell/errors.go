package openshell

import (
	"errors"
	"fmt"
	"strings"

	"sandkeeper/internal/text"
)

// ErrNotFound means that no openshell CLI is on this host, as far as it was looked for.
var ErrNotFound = errors.New("openshell CLI not found")

// ErrUnsupported means that this generation of OpenShell cannot answer the question; it says nothing about the
// gateway's health.
var ErrUnsupported = errors.New("not supported by this OpenShell version")

// ErrPhase means that a sandbox is in a phase that its gateway neither stops nor starts, such as Error: a stop only
// leads from Ready, a start only from Stopped (docs/facts/openshell.md 2.3). Its container can be stopped and started
// all the same.
var ErrPhase = errors.New("its gateway stops and starts nothing in that phase")

// MismatchError is a state call that answered with a protobuf decode error: CLI and gateway do not speak the same
// schema.
type MismatchError struct {
	Gateway string
	Op      string // "sandbox list"
	Output  string // what the CLI printed, one line, not shortened
}

// Error says what happened and shows the CLI's own words.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("openshell %s%s could not decode the gateway's answer: %s", e.Op, of(e.Gateway), text.OneLine(e.Output, 260))
}

// ListingError is a state call whose answer could not be had or not be read. It never means that there is nothing to
// list.
type ListingError struct {
	Gateway string
	Op      string // "sandbox list", "status", "gateway info", …
	Output  string // what the CLI printed, one line, not shortened
	Exit    int    // -1 when the CLI did not end by itself
	// At most one of these is set: nobody answered; the CLI does not know the gateway; the time limit ran out.
	Unreachable   bool
	NotRegistered bool
	TimedOut      bool
	Err           error // what was wrong with the answer, or why the CLI could not be run; may be nil
}

// Error says which call failed and how, from the operator's side.
func (e *ListingError) Error() string {
	call := "openshell " + e.Op + of(e.Gateway)
	switch {
	case e.TimedOut:
		return call + ": no answer in time"
	case e.NotRegistered:
		return call + ": the CLI does not know this gateway: " + text.OneLine(e.Output, 260)
	case e.Unreachable:
		return call + ": the gateway did not answer: " + text.OneLine(e.Output, 260)
	case e.Err != nil && e.Output != "":
		return fmt.Sprintf("%s: %v: %s", call, e.Err, text.OneLine(e.Output, 260))
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", call, e.Err)
	case e.Output == "":
		return fmt.Sprintf("%s: exit status %d and not a word", call, e.Exit)
	}
	return fmt.Sprintf("%s: exit status %d: %s", call, e.Exit, text.OneLine(e.Output, 260))
}

// Unwrap gives the cause.
func (e *ListingError) Unwrap() error { return e.Err }

func of(gateway string) string {
	if gateway == "" {
		return ""
	}
	return fmt.Sprintf(" of gateway %q", gateway)
}

// The texts are squeezed (see squeeze). Sources: docs/facts/openshell.md 1.4, docs/facts/nemoclaw.md 5.3 and 6.
var notRegisteredWordings = []string{
	"noactivegateway", "nogatewayconfigured", "unknowngateway'", "nogatewaymetadatafound", "gatewaynotfound", "nogatewaysfound",
}

var unreachableWordings = []string{
	"connectionrefused", "clienterror(connect)", "tcpconnecterror", "transporterror", "connectionreset", "dnserror",
	"noroutetohost", "networkisunreachable", "connectiontimedout", "brokenpipe", "connectionclosed",
	"code:'theserviceiscurrentlyunavailable'", "status:unavailable", "status:disconnected", "deadlineexpiredbefore",
}

// forbiddenWordings say that the user may not do this, in both spellings of a gRPC status.
var forbiddenWordings = []string{"thecallerdoesnothavepermission", "status:permissiondenied"}

// askedWrongly say that the gateway does not take the request as it was put, in both spellings of a gRPC status. A
// 0.1.x gateway says so of a 0.0.x listing over all workspaces: the field is not one of its own, and no scope is left
// (docs/facts/openshell-0.1.md 2.3).
var askedWrongly = []string{"clientspecifiedaninvalidargument", "status:invalidargument"}

func contains(text string, wordings []string) bool {
	squeezed := squeeze(text)
	for _, wording := range wordings {
		if strings.Contains(squeezed, wording) {
			return true
		}
	}
	return false
}
