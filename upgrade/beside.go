package upgrade

import (
	"context"
	"fmt"

	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// Keeper reads and gives back what a gateway keeps of a sandbox beside its recipe: exposed services and settings;
// *driver.Gateways is one.
type Keeper interface {
	Beside(ctx context.Context, sb sandbox.Sandbox) (openshell.Beside, error)
	Replay(ctx context.Context, sb sandbox.Sandbox, kept openshell.Beside) error
}

// beside takes down what is to be given back, for the question and for the journal. What cannot be read is said, and
// holds nothing up.
func (p *precheck) beside(ctx context.Context) {
	if p.Keeper == nil {
		return
	}
	sb := p.target.Sandbox
	sb.ID = p.entry.OldID
	kept, err := p.Keeper.Beside(ctx, sb)
	if err != nil {
		p.entry.warn(fmt.Sprintf("its exposed services and its own settings could not be read, so they are not given back: %v", err))
	}
	p.entry.Beside = kept
}

// giveBack gives the sandbox what was kept of the old one. It is there whole without it, so what is refused is said.
func (j *job) giveBack(ctx context.Context) {
	if j.Keeper == nil || j.Beside.String() == "" {
		return
	}
	sb := sandbox.Sandbox{Name: j.Name, Workspace: j.Workspace, Gateway: j.Gateway, ID: j.NewID}
	if err := j.Keeper.Replay(ctx, sb, j.Beside); err != nil {
		j.warn(fmt.Sprintf("not given back to it: %s", inOneLine(err)))
	}
}
