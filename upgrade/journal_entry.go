package upgrade

import (
	"cmp"
	"slices"
	"time"

	"sandkeeper/driver"
	"sandkeeper/engine"
	"sandkeeper/internal/journal"
	"sandkeeper/lifecycle"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Step is a place in the upgrade of one sandbox. It is entered in the journal before its effect begins, or, for the
// words that say that something is done, after it was seen. The words are stable: standard error, the journal and
// docs/upgrades.md share them.
type Step string

// The steps of a rebuild, in order. Those of NemoClaw's rebuild replace deleting … created.
const (
	StepPlanned       Step = "planned"       // every precondition of every sandbox held; nothing is touched yet
	StepPreconditions Step = "preconditions" // its own are looked at once more
	StepPulling       Step = "pulling"       // only where the new image was not on this host; nothing of the sandbox is touched
	StepPulled        Step = "pulled"
	StepRehearsing    Step = "rehearsing" // throw-away sandboxes by the same recipe; nothing of the sandbox is touched
	StepRehearsed     Step = "rehearsed"
	StepStopping      Step = "stopping" // so that nothing is written after the backup
	StepStopped       Step = "stopped"
	StepBackingUp     Step = "backing-up"
	StepBackedUp      Step = "backed-up" // and every byte of the backup was read back
	StepKeepingImage  Step = "keeping-image"
	StepImageKept     Step = "image-kept" // the old container is a local image
	StepDeleting      Step = "deleting"   // the first step that destroys
	StepDeleted       Step = "deleted"
	StepCreating      Step = "creating"
	StepCreated       Step = "created"
	StepRebuilding    Step = "rebuilding" // NemoClaw's rebuild runs
	StepRebuilt       Step = "rebuilt"
	StepWaiting       Step = "waiting"
	StepReady         Step = "ready"
	StepSettling      Step = "settling"
	StepSettled       Step = "settled" // still Ready after the settle time
	StepRestoring     Step = "restoring"
	StepRestored      Step = "restored"
	StepComparing     Step = "comparing"
	StepCompared      Step = "compared" // entry by entry, digest by digest
	StepStarting      Step = "starting"
	StepStarted       Step = "started" // or left stopped, as it was
	StepFinishing     Step = "finishing"
	StepDone          Step = "done"
)

// The steps of a rollback.
const (
	StepRollingBack Step = "rolling-back" // what came in the old one's place is removed
	StepRecreating  Step = "recreating"   // from the rollback image, by the same recipe
	StepRecreated   Step = "recreated"
	StepProving     Step = "proving" // Ready, and compared with the backup
	StepRolledBack  Step = "rolled-back"
)

// Way is how a sandbox is rebuilt.
type Way string

// The ways.
const (
	ByRecipe   Way = "recipe"   // deleted and created again by us, through the gateway's own API
	ByNemoClaw Way = "nemoclaw" // by `nemoclaw <name> rebuild --yes`
)

// Entry is the journal's record of one unfinished upgrade.
type Entry struct {
	Run        string `json:"run"` // names the rollback image and the log
	Name       string `json:"name"`
	Workspace  string `json:"workspace,omitempty"` // "" in the journal of a build that knew none: the one that the CLI works in
	Gateway    string `json:"gateway"`
	Agent      string `json:"agent,omitempty"`
	Registered bool   `json:"registered,omitempty"`
	Way        Way    `json:"way"`
	Step       Step   `json:"step"`
	Touched    bool   `json:"touched,omitempty"` // it has been at a step that does something to the sandbox

	OldID         string `json:"oldId"`        // the gateway's id of the old sandbox
	OldContainer  string `json:"oldContainer"` // full id
	ContainerName string `json:"containerName"`
	OldImageID    string `json:"oldImageId"`
	// EngineID is the identity of the engine that has its containers and images, and EngineHost the address that it
	// answered at. A record of before they were kept has neither.
	EngineID   string `json:"engine,omitempty"`
	EngineHost string `json:"engineHost,omitempty"`

	DeleteRequested bool `json:"doomed,omitempty"`   // its deletion was about to be asked for, so that only a look tells whether it is there
	Running         bool `json:"running"`            // whether it ran before; it is left as it was found
	WasReady        bool `json:"wasReady,omitempty"` // its gateway called it Ready while it ran
	// SavedSince is when the old container had last been started when its backup began: a container that was started
	// later holds more.
	SavedSince time.Time `json:"savedSince,omitzero"`

	// Request is the recipe as the driver was to be asked at planning time, without what extensions had added.
	Request lifecycle.Request `json:"request"`
	Image   string            `json:"image"`           // of the new sandbox
	Beside  openshell.Beside  `json:"beside,omitzero"` // what its gateway keeps beside the recipe
	// Pull is the digest that Image had in its registry at planning time, when it was not on this host and had to be
	// pulled; else "".
	Pull string `json:"pull,omitempty"`

	// Rehearse says how it is rehearsed, Rehearsed that it was, and Rehearsal what of that is not removed yet.
	Rehearse  RehearsalKind `json:"rehearse,omitempty"`
	Rehearsed bool          `json:"rehearsed,omitempty"`
	Rehearsal *Rehearsal    `json:"rehearsal,omitempty"`

	// BackupRoot is the folder that its backups are in, Identity the file with the key that opens them, where they are
	// encrypted.
	BackupRoot string `json:"backupRoot,omitempty"`
	Identity   string `json:"identity,omitempty"`

	Backup        string   `json:"backup,omitempty"`
	LeftOut       []string `json:"leftOut,omitempty"` // of version 1: credentials that the backup does not hold
	RollbackImage string   `json:"rollbackImage,omitempty"`
	NewID         string   `json:"newId,omitempty"` // of what was created last, forwards or backwards
	Log           string   `json:"log,omitempty"`   // of NemoClaw's rebuild

	FailedAt Step      `json:"failedAt,omitempty"` // the step that made it roll back
	Reason   string    `json:"reason,omitempty"`   // why it rolls back or is stuck
	Warnings []string  `json:"warnings,omitempty"`
	Begun    time.Time `json:"begun"`
	Updated  time.Time `json:"updated"`
}

// key is the name of the sandbox's record.
func (e *Entry) key() string { return journal.SandboxKey(e.Gateway, e.Workspace, e.Name) }

// Address is how people write the sandbox: "workspace/name", or its name alone in the default workspace.
func (e *Entry) Address() string { return sandbox.Address(e.Workspace, e.Name) }

// Answers reports whether an address that was written may be that of the sandbox.
func (e *Entry) Answers(address string) bool {
	return sandbox.Sandbox{Name: e.Name, Workspace: cmp.Or(e.Workspace, sandbox.DefaultWorkspace)}.Answers(address)
}

func (e *Entry) place() driver.Place { return driver.Place{Gateway: e.Gateway, Workspace: e.Workspace} }

// Untouched reports whether nothing had been done to the sandbox when the journal was last written. An upgrade that
// goes on begins with its preconditions again, after it has stopped the sandbox.
func (e *Entry) Untouched() bool { return !e.Touched && e.beforeAnything() }

func (e *Entry) beforeAnything() bool {
	return slices.Contains([]Step{"", StepPlanned, StepPreconditions, StepRehearsing, StepRehearsed}, e.Step)
}

// RollingBack reports whether it is on its way back.
func (e *Entry) RollingBack() bool {
	return slices.Contains([]Step{StepRollingBack, StepRecreating, StepRecreated, StepProving, StepRolledBack}, e.Step)
}

// reference is the old sandbox as a driver is told of it.
func (e *Entry) reference(id string) lifecycle.Reference {
	return lifecycle.Reference{ID: id, Name: e.Name, Gateway: e.Gateway}
}

// sandbox is the entry's sandbox as the backup package knows it, in container c.
func (e *Entry) sandbox(id string, c engine.Container) sandbox.Sandbox {
	sb := sandbox.Sandbox{
		Name: e.Name, Workspace: cmp.Or(e.Workspace, sandbox.DefaultWorkspace), Registered: e.Registered, Gateway: e.Gateway, ID: id, Listed: true, Container: &c,
		Standing: sandbox.Stopped, Route: sandbox.ByContainer,
	}
	if c.Running() {
		sb.Standing = sandbox.Ready
	}
	if e.Agent != "" {
		sb.Row = &sandbox.Row{Name: e.Name, Agent: e.Agent, Gateway: e.Gateway}
	}
	return sb
}

func (e *Entry) warn(text string) {
	if !slices.Contains(e.Warnings, text) {
		e.Warnings = append(e.Warnings, text)
	}
}
