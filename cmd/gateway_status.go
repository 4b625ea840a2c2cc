package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/text"
	"sandkeeper/internal/ui"
	"sandkeeper/openshell"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
	"sandkeeper/survey"
)

type gatewayStatusOptions struct{ app *app }

const gatewayStatusLong = `Show every piece of evidence about the gateway, one line each: the version of the CLI, of the process that really
runs, of the file that the next start would run, of the cluster image, and the version that the gateway itself gives
in its answer; then its database and the supervisor of each running sandbox. Below the table are the runtime marker
(its age, and whether it counts) and the endpoint.

The exit code is 0 when the gateway answered, and 5 when it did not. sandkeeper preflight judges the same evidence.`

func newGatewayStatus(a *app, run func(context.Context, *gatewayStatusOptions) (*answer, error)) *cobra.Command {
	o := &gatewayStatusOptions{app: a}
	if run == nil {
		run = runGatewayStatus
	}
	return &cobra.Command{
		Use: "status", Short: "Show every piece of evidence about the gateway side by side", Long: gatewayStatusLong,
		Annotations: exits(ExitOK, ExitUsage, ExitUnreachable, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
}

// evidence is one fact about a gateway: what is known, or why not.
type evidence struct {
	Of      string      `json:"of"`
	State   drift.State `json:"state"` // known, absent, unknown
	Version string      `json:"version"`
	Where   string      `json:"where"`
	Why     string      `json:"why"`
}

type gatewayStatus struct {
	Gateway  string            `json:"gateway"`
	Endpoint string            `json:"endpoint"`
	Source   string            `json:"source"` // where the choice of this gateway came from
	Answered bool              `json:"answered"`
	Status   string            `json:"status"` // the CLI's word for it
	Evidence []evidence        `json:"evidence"`
	Marker   *preflight.Marker `json:"marker"`
	PID      int               `json:"pid"`

	Database    databaseStatus             `json:"database"`
	MarkerAgeS  int64                      `json:"markerAgeSeconds"` // 0 without a marker
	Supervisors []preflight.SupervisorSeen `json:"supervisors"`      // of the running sandboxes
}

// databaseStatus is the gateway's database as it lies there.
type databaseStatus struct {
	State      drift.State `json:"state"` // known, absent, unknown
	Path       string      `json:"path"`
	Generation int         `json:"generation"` // the newest migration; 0 when unknown
	Migrations []int       `json:"migrations"`
	Fit        string      `json:"fit"` // for the gateway that runs, else the file that would be started: fits, migrates, one-way, newer, other-line, half-done, unknown
	Why        string      `json:"why"`
}

func runGatewayStatus(ctx context.Context, o *gatewayStatusOptions) (*answer, error) {
	a := o.app
	registry, err := a.registryIfThere()
	if err != nil {
		return nil, err
	}
	decisive := a.host.Judge(ctx, preflight.BackingUp(), a.host.Bindings(registry)).Decisive()
	seen := decisive.Seen
	if seen.Target.Err != nil {
		return nil, usage("give the gateway's name as openshell gateway list shows it", "%w", seen.Target.Err)
	}
	status := gatewayStatus{
		Gateway: seen.Target.Name, Endpoint: seen.Target.Endpoint, Source: seen.Target.Source, PID: seen.Process.PID,
		Answered: seen.Served.Answered, Status: seen.Served.Status, Evidence: evidenceOf(seen), Marker: &decisive.Report.Marker,
	}
	a.lookDeeper(ctx, &status, decisive, registry)
	found := &answer{preflight: &decisive.Report, result: status, text: func(term *terminal) { renderGatewayStatus(term, status, seen.Marker) }}
	if !status.Answered {
		return found, unanswered(seen)
	}
	return found, nil
}

// registryIfThere is the registry for a look at gateways, which goes on without one: a broken registry is a warning. The
// error is that of a NEMOCLAW_GATEWAY_PORT that names no gateway.
func (a *app) registryIfThere() (sandbox.Registry, error) {
	registry, err := a.host.Registry()
	if port, ok := errors.AsType[*survey.PortError](err); ok {
		return registry, port
	}
	a.term.orWarn(err)
	return registry, nil
}

// unanswered says of a gateway that did not answer why, in the kinds that a listing has: a gateway that the CLI does
// not know may run.
func unanswered(seen gateway.Observation) *Failure {
	if g := (survey.Gateway{Seen: seen}); g.NeverHeardOf() {
		return notRegistered(g)
	}
	if seen.CLI.Path == "" {
		return &Failure{
			Code: ExitUnreachable, Kind: kindUnreachable, Err: fmt.Errorf("gateway %q was not asked: %s", seen.Target.Name, seen.CLI.Why), Hint: installHint,
		}
	}

	f := &Failure{
		Code: ExitUnreachable, Kind: kindUnreachable, Err: fmt.Errorf("gateway %q did not answer: %s", seen.Target.Name, seen.Served.Why),
		Hint: "`" + statusOf(seen) + "` says what is in the way; " + offlineHint,
	}
	if way := preflight.WayForward(seen); way != "" {
		f.Hint = way + "; " + offlineHint
	}
	listing, failed := errors.AsType[*openshell.ListingError](seen.Served.Err)
	if failed {
		f.Err = listing // it names the call and the gateway
	}
	if seen.Served.NotRegistered() {
		listing, failed = &openshell.ListingError{NotRegistered: true}, true
	}
	if !failed {
		return f
	}
	switch why := failureOf(listing); why.Kind {
	case kindUnreachable, "listing_unreadable":
	default:
		f.Kind, f.Hint = why.Kind, why.Hint
	}

	return f
}

// supervisorsLimit bounds the look at the supervisors of all running sandboxes.
const supervisorsLimit = 10 * time.Second

// lookDeeper adds what the observation does not see: the database, and the supervisors inside the sandboxes.
func (a *app) lookDeeper(ctx context.Context, s *gatewayStatus, g *survey.Gateway, registry sandbox.Registry) {
	ctx, cancel := text.Within(ctx, supervisorsLimit)
	defer cancel()
	facts := hostFacts{seen: g.Seen, registry: registry, engines: a.host.Engines(ctx)}
	in := a.checks.input(facts)
	s.Supervisors = in.Supervisors(ctx)
	if created := g.Seen.Marker.CreatedAt; !created.IsZero() {
		s.MarkerAgeS = int64(time.Since(created).Seconds())
	}
	d := in.Database(ctx)
	fit, why := d.Compatibility(in.Next())
	s.Database = databaseStatus{State: d.State, Path: d.Path, Generation: d.Generation(), Migrations: append([]int{}, d.Migrations...), Fit: string(fit), Why: cmp.Or(d.Why, why)}
}

func evidenceOf(o gateway.Observation) []evidence {
	return []evidence{
		{"cli", o.CLI.State, o.CLI.Version.String(), o.CLI.Path, o.CLI.Why},
		{"process", o.Process.State, o.Process.Version.String(), o.Process.Binary, o.Process.Why},
		{"file", o.File.State, o.File.Version.String(), o.File.Path, o.File.Why},
		{"image", o.Cluster.State, o.Cluster.Version.String(), o.Cluster.Image, o.Cluster.Why},
		{"served", o.Served.State, o.Served.Version.String(), o.Served.Endpoint, o.Served.Why},
	}
}

func renderGatewayStatus(term *terminal, s gatewayStatus, m gateway.Marker) {
	table := term.table()
	table.Row("EVIDENCE", "STATE", "VERSION", "WHERE")
	for _, e := range s.Evidence {
		where := e.Where
		if e.State != drift.Known && e.Why != "" {
			where = e.Why
		}
		table.Row(e.Of, string(e.State), e.Version, where)
	}

	if d := s.Database; d.State == drift.Known {
		table.Row("database", string(d.State), fmt.Sprintf("generation %d", d.Generation), d.Path+": "+d.Why)
	} else {
		table.Row("database", string(d.State), "", d.Why)
	}

	for _, seen := range s.Supervisors {
		state := drift.Known
		if seen.Version == (drift.Version{}) {
			state = drift.Unknown
		}
		table.Row("supervisor", string(state), seen.Version.String(), cmp.Or(seen.Why, "sandbox "+seen.Sandbox))
	}

	table.Print(term.Out, nil)
	term.printf("marker: %s%s", s.Marker.State, markerDetail(s.Marker, m))
	term.printf("%s", gatewayLine(s))
}

// gatewayLine says which gateway was looked at, and what it answered.
func gatewayLine(s gatewayStatus) string {
	line := fmt.Sprintf("gateway %q (chosen by %s)", s.Gateway, s.Source)
	if s.Endpoint != "" {
		line += " at " + s.Endpoint
	}
	if s.Answered {
		return line + ": " + cmp.Or(s.Status, "answers")
	}
	return line + ": " + cmp.Or(s.Status, "no answer")
}

func markerDetail(shown *preflight.Marker, m gateway.Marker) string {
	if shown.State == string(gateway.MarkerAbsent) {
		return ", " + shown.Reason
	}
	detail := " " + shown.Path
	if !m.CreatedAt.IsZero() {
		detail += fmt.Sprintf(", pid %d, written %s ago", m.PID, ui.Age(time.Since(m.CreatedAt)))
	}
	if shown.Reason != "" {
		detail += ": " + shown.Reason
	}
	return detail
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// statusOf asks the gateway itself, in the CLI's own words.
func statusOf(seen gateway.Observation) string {
	return cmp.Or(seen.Host.CallOpenShell, "openshell") + " status -g " + seen.Target.Name
}
