package preflight

import (
	"context"
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
)

// Codes of the host's checks; docs/checks.md has a section for each. None of them changes the verdict, which is about
// the schema.
const (
	CodeAgreement  = "schema-agreement" // the gate; it cannot be skipped
	CodeDatabase   = "database-generation"
	CodeConfig     = "gateway-config"
	CodeSupervisor = "supervisor-version"
	CodeSpace      = "disk-space"
	CodeRoot       = "backup-root"
	CodeOtherRun   = "other-run"
	CodeUnfinished = "unfinished-upgrade"
	CodeEngineAPI  = "engine-api"
	CodeNames      = "sandbox-names"
	CodeLine       = "breaking-line"
)

// HostInput is what the host's checks look at beside the observation. A nil function is a fact that this run does not
// look at: its check is skipped, with that reason.
type HostInput struct {
	Seen       gateway.Observation
	Database   func(context.Context) gateway.Database
	Config     func(context.Context) gateway.Config
	Supervisor func(context.Context, engine.Container) (drift.Version, error)
	Names      []string // of every sandbox that the registry or a container names

	Root    string // of the backups
	RootErr error  // why it cannot be used, as the store said
	UID     int
	Free    func() (bytes int64, err error)
	Need    func(context.Context) Need
	Holder  func() (who string, held bool) // another run that holds the backups

	Unfinished func() ([]Unfinished, error) // upgrades that have not ended
}

// Need is an estimate of what the next backup of every sandbox takes.
type Need struct {
	Bytes     int64
	Sandboxes int
	Unknown   int // sandboxes of which nothing is known; they are not in Bytes
}

// Time limits of the checks that look outside the program.
const (
	databaseLimit   = 3 * time.Second
	configLimit     = 8 * time.Second
	supervisorLimit = 8 * time.Second
	spaceLimit      = 5 * time.Second
)

// HostChecks are the checks of this host that do not decide the gate, in the order shown.
func HostChecks(in HostInput) []Check {
	return []Check{
		{Code: CodeDatabase, Title: "the gateway's database is of a generation that the gateway reads", Timeout: databaseLimit, Run: in.database},
		{Code: CodeConfig, Title: "the gateway that would be started next accepts its gateway.toml", Timeout: configLimit, Run: in.config},
		{Code: CodeSupervisor, Title: "the supervisor of every running sandbox is of the gateway's version", Timeout: supervisorLimit, Run: in.supervisors},
		{Code: CodeLine, Title: "the next start of the gateway does not cross OpenShell 0.1.0", Run: in.line},
		{Code: CodeNames, Title: "a newer OpenShell accepts the name of every sandbox", Run: in.names},
		{Code: CodeEngineAPI, Title: "the container engine speaks an API that this program speaks", Run: in.engineAPI},
		{Code: CodeRoot, Title: "backups can be written, and only by their owner", Run: in.root},
		{Code: CodeSpace, Title: "the next backups fit", Timeout: spaceLimit, Needs: []string{CodeRoot}, Run: in.space},
		{Code: CodeOtherRun, Title: "no other run holds the backups", Run: in.otherRun},
		{Code: CodeUnfinished, Title: "no upgrade of a sandbox was left unfinished", Run: in.unfinished},
	}
}

func failing(fix, detail string) Result { return Result{Status: Fail, Detail: detail, Fix: fix} }

func warning(fix, detail string) Result { return Result{Status: Warn, Detail: detail, Fix: fix} }

func skipping(detail string) Result { return Result{Status: Skip, Detail: detail} }

// saveFirst is the command that saves sandboxes without a gateway, where there is something that it can save.
func (in HostInput) saveFirst() string {
	if len(in.Seen.Containers) > 0 {
		return "sandkeeper backup-all --offline"
	}
	return ""
}
