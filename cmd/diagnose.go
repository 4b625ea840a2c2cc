package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sandkeeper/diagnose"
	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/internal/ui"
	"sandkeeper/preflight"
)

// diagnoseLimit bounds what is read of a pasted text or log, in bytes: its end is kept, where the last error stands.
const diagnoseLimit = 4 << 20

type diagnoseOptions struct {
	app    *app
	file   string
	noHost bool
}

const diagnoseLong = `Say what an error text is: its class, how sure that is, why, and what to do on this host. Reads FILE, or standard input for - or
without an argument; a whole log may be given.

Text alone does not prove where it came from. When openshell is on this host, the preflight is run as well (it changes nothing)
and the answer says whether it confirms the text; --no-host leaves that out.`

func newDiagnose(a *app, run func(context.Context, *diagnoseOptions) (*answer, error)) *cobra.Command {
	o := &diagnoseOptions{app: a}
	if run == nil {
		run = runDiagnose
	}
	c := &cobra.Command{
		Use: "diagnose [FILE|-]", Short: "Classify a pasted error text and say what to do", Long: diagnoseLong,
		Example:     "  openshell sandbox list 2>&1 | sandkeeper diagnose\n  sandkeeper diagnose install.log",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitInterrupted),
	}
	c.Flags().BoolVar(&o.noHost, "no-host", false, "judge the text alone; do not look at this host")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 && args[0] != "-" {
			o.file = args[0]
		}
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// diagnosis is the result of the command: the classifier's answer, and what the host says to it.
type diagnosis struct {
	diagnose.Diagnosis
	Host string `json:"host"` // "confirms", "does not confirm" with why, or "" when the host was not looked at
}

func runDiagnose(ctx context.Context, o *diagnoseOptions) (*answer, error) {
	text, err := o.read(ctx)
	if err != nil {
		return nil, err
	}
	d := diagnosis{Diagnosis: diagnose.Classify(text, diagnose.Pasted)}
	found := &answer{}
	if !o.noHost {
		found.preflight = o.askHost(ctx, &d)
	}
	found.result = d
	found.text = func(term *terminal) { renderDiagnosis(term, d) }
	return found, nil
}

func (o *diagnoseOptions) read(ctx context.Context) (string, error) {
	in := o.app.In
	if o.file != "" {
		f, err := os.Open(filepath.Clean(o.file))
		if err != nil {
			return "", usage("give a readable file, or - for standard input", "%w", withoutCall(err))
		}
		defer f.Close()
		in = f
	} else if o.app.InTTY {
		fmt.Fprintln(o.app.Err, "Paste the error text, then press Ctrl-D.")
	}

	text, err := tail(interruptible(ctx, in), diagnoseLimit)
	if errors.Is(err, syscall.EISDIR) {
		err = usage("give a readable file, or - for standard input", "%w", err)
	}
	if err == nil && len(text) == 0 {
		err = usage("paste the whole error, with the lines around it", "there is no text to diagnose")
	}
	return string(text), err
}

// tail reads r to its end and keeps the last limit bytes.
func tail(r io.Reader, limit int) ([]byte, error) {
	var kept []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		kept = append(kept, chunk[:n]...)
		if len(kept) > 2*limit {
			kept = append([]byte(nil), kept[len(kept)-limit:]...)
		}
		if errors.Is(err, io.EOF) {
			return kept[max(0, len(kept)-limit):], nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the text: %w", err)
		}
	}
}

// askHost runs the preflight where the text speaks of versions, and records whether the host bears it out.
func (o *diagnoseOptions) askHost(ctx context.Context, d *diagnosis) *preflight.Report {
	a := o.app
	registry, err := a.host.Registry()
	if err != nil {
		a.term.note("%v", err)
	}
	decisive := a.host.Judge(ctx, preflight.BackingUp(), a.host.Bindings(registry)).Decisive()
	if decisive.Seen.CLI.Path == "" {
		return nil // no openshell here: the text is from elsewhere, and this host says nothing about it
	}
	d.Actions = onHost(d.Actions, decisive.Seen)
	report := decisive.Report
	if d.Class == diagnose.GatewayUnreachable || d.Class == diagnose.GatewayStartFailed {
		d.atGateway(decisive.Seen)
		return &report
	}
	versions := d.Class == diagnose.SchemaMismatch || d.Class == diagnose.VersionSkew
	switch {
	case versions && report.Refused():
		d.Host = fmt.Sprintf("confirms: openshell is %s and the gateway is %s", report.Issue.Installed, report.Issue.Running)
		d.Actions = report.Recovery
	case versions && report.Verdict == drift.Pass:
		d.Host = "does not confirm: CLI and gateway agree now on this host; the text may be from before, from another host, or about one stored sandbox"
	case versions:
		d.Host = "cannot tell: " + report.Doubt
	case report.Refused():
		d.Host = fmt.Sprintf("besides: the preflight refuses on this host (openshell %s, gateway %s)", report.Issue.Installed, report.Issue.Running)
	}

	return &report
}

// atGateway says whether the gateway answers now and, when it does not, how it is started on this host. One that did
// not start is looked into first: started again, it would end again.
func (d *diagnosis) atGateway(seen gateway.Observation) {
	name := fmt.Sprintf("gateway %q", seen.Target.Name)
	start := preflight.StartCommand(seen)
	switch {
	case seen.Served.Answered:
		d.Host = "does not confirm: " + name + " answers now"
		return
	case seen.Target.Remote:
		d.Host = "confirms: " + name + " does not answer; it runs on another host and has to be started there"
		return
	case start == "":
		d.Host = "confirms: " + name + " does not answer; no command is known here that starts it, so start it the way it was started before"
		return
	}

	d.Host = fmt.Sprintf("confirms: %s does not answer; `%s` starts it on this host", name, start)
	if d.Class == diagnose.GatewayStartFailed {
		d.Actions = append(d.Actions, start)
		return
	}
	d.Actions = append([]string{start}, d.Actions...)
}

// onHost puts actions into commands that exist on the host that was seen.
func onHost(actions []string, seen gateway.Observation) []string {
	fitting := []string{}
	for _, action := range actions {
		program, arguments, _ := strings.Cut(action, " ")
		switch path := seen.File.Path; {
		case program == "openshell":
			action = seen.Host.CallOpenShell + " " + arguments
		case program == "openshell-gateway" && path == "":
			continue
		case program == "openshell-gateway":
			action = path + " " + arguments
		}

		fitting = append(fitting, action)
	}
	return fitting
}

func renderDiagnosis(term *terminal, d diagnosis) {
	term.printf("class: %s (%s)", d.Class, d.Confidence)
	term.printf("%s", d.Explanation)
	if d.Decides != "" && d.Confidence != diagnose.Certain {
		term.printf("what would decide it: %s", d.Decides)
	}
	if d.Host != "" {
		term.printf("this host: %s", d.Host)
	}
	for i, action := range d.Actions {
		term.printf("  %d. %s", i+1, ui.Clean(action))
	}
}
