package migrate

import (
	"path/filepath"
	"strings"

	"sandkeeper/internal/text"
)

// steps are what is to be done from here on, in order.
func (f Facts) steps(p Plan) []Step {
	switch p.Stage {
	case StageExport:
		return append([]Step{f.export()}, f.afterExport(p)...)
	case StageRescue:
		return append([]Step{
			{
				Title: "Save the old containers before anything else", Commands: []string{"sandkeeper backup-all --offline"},
				Why: "they are the only copy, and the new gateway knows nothing of them",
			},
			{
				Title: "Make the set out of them", Commands: []string{"sandkeeper migrate export -g " + text.ShellWord(f.Gateway)},
				Why: "each is saved, stopped through the container engine, and saved again; nothing is removed",
			},
		}, append(f.aside(), f.importing(p)...)...)
	case StageImport:
		if f.new() {
			return f.importing(p)
		}
		return f.afterExport(p)
	}
	return []Step{}
}

func (f Facts) export() Step {
	return Step{
		Title: "Save everything while the old gateway runs", Commands: []string{"sandkeeper migrate export -g " + text.ShellWord(f.Gateway)},
		Why: "each sandbox is saved and verified, then stopped through its gateway, then saved again: nothing is removed",
	}
}

// afterExport is the way from the set to the new gateway.
func (f Facts) afterExport(p Plan) []Step {
	steps := []Step{{
		Title: "Stop the old gateway and uninstall OpenShell 0.0.x. Keep its files, its images and its containers",
		Why:   "0.0.x and 0.1.x do not run side by side, and the old containers are the way back until every sandbox was seen whole",
	}}
	if f.Database != "" {
		steps = append(steps, Step{
			Title: "Put the old database aside", Commands: f.putAside(),
			Why: "a gateway of 0.1.x would migrate it for good, and hold the names of sandboxes that it cannot see",
		})
	}

	if c := p.Host.Config; c != nil && len(c.Changes) > 0 {
		steps = append(steps, f.configure(*c))
	}
	return append(append(steps, Step{
		Title: "Install OpenShell 0.1.x: command line and gateway of one release", Commands: []string{"openshell-gateway config preflight"},
		Why: "that command of the new gateway reads its configuration and starts nothing",
	}, Step{
		Title: "Start the gateway and register it", Commands: []string{"sandkeeper gateway wait -g " + text.ShellWord(f.Gateway)},
	}), f.importing(p)...)
}

// putAside moves the database with its log: SQLite keeps there what a gateway that was killed has committed and not yet
// written into the database (docs/facts/openshell-0.1.md 4.4). It is found by its name, so it takes the database's new
// one.
func (f Facts) putAside() []string {
	aside := f.Database + ".0.0.x"
	commands := []string{"mv " + text.ShellWord(f.Database) + " " + text.ShellWord(aside)}
	for _, suffix := range []string{"-wal", "-shm"} {
		old := text.ShellWord(f.Database + suffix)
		commands = append(commands, "[ ! -e "+old+" ] || mv "+old+" "+text.ShellWord(aside+suffix))
	}
	return commands
}

// aside is for a gateway of 0.1.x that was started on the old database.
func (f Facts) aside() []Step {
	if f.Database == "" {
		return nil
	}
	return []Step{{
		Title: "Where the new gateway still lists the old sandboxes: stop it, put its database aside, start it again", Commands: f.putAside(),
		Why: "it holds their names and cannot see their containers; its providers are entered again",
	}}
}

// configure puts the proposed gateway.toml in the place of the old one, which stays beside it. Proposed is not known
// before it is written.
func (f Facts) configure(c ConfigPlan) Step {
	return Step{
		Title: "Read the proposed gateway.toml and put it in place",
		Commands: []string{
			"mv " + text.ShellWord(c.Path) + " " + text.ShellWord(c.Path+".v1"), "cp " + text.ShellWord(ProposalPath(c.Path)) + " " + text.ShellWord(c.Path),
		},
		Why: strings.Join(c.Manual, "; "),
	}
}

// ProposalPath is where the proposal for a gateway.toml goes: beside it.
func ProposalPath(path string) string {
	return filepath.Join(filepath.Dir(path), "gateway.v2-proposed.toml")
}

// importing is what is done on the new gateway.
func (f Facts) importing(p Plan) []Step {
	var steps []Step
	if len(p.Host.Providers) > 0 {
		enter := Step{Title: "Import the provider profiles of the set, and enter the credentials again", Why: "no API gives them, and a sandbox is not made without its providers"}
		for _, provider := range p.Host.Providers {
			enter.Commands = append(enter.Commands, enterAgain(f.Gateway, provider))
		}
		steps = append(steps, enter)
	}
	return append(steps, Step{
		Title: "Make the sandboxes and put their homes back", Commands: []string{"sandkeeper migrate import -g " + text.ShellWord(f.Gateway)},
		Why: "it can be repeated: what is there is recognised, and a sandbox that fails stops no other",
	}, Step{
		Title: "Look at each sandbox, and only then remove its old container",
		Why:   "the import names the containers at its end; nothing of 0.0.x is removed by this program",
	})
}
