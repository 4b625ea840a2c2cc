package classify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"sandkeeper/drift"
	"sandkeeper/sandbox"
)

// each calls work with 0 … n-1, at most jobs at a time, and returns when all are done.
func each(n, jobs int, work func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, jobs)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			work(i)
		})
	}

	wg.Wait()
}

// bounded calls look under in's time limit and says which limit ran out.
func (in Input) bounded(ctx context.Context, look func(context.Context) (string, error)) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, in.Timeout, fmt.Errorf("no answer within %s", in.Timeout))
	defer cancel()
	answer, err := look(ctx)
	if err != nil && ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return answer, err
}

// agentSignal compares the agent inside with what is expected of it: probed where it runs, as recorded where it does
// not. A probe that failed is never made good by what was recorded earlier.
func (in Input) agentSignal(ctx context.Context, s sandbox.Sandbox) signal {
	sig := signal{Reason: Reason{Code: CodeAgentVersion}}
	if s.Row == nil {
		return sig
	}
	agent, known := in.Agents.ByName[s.Row.Agent]
	if known && agent.Expected == "" {
		return sig // nothing pins a version of it
	}
	sig.Current, sig.Detail = in.agentVersion(ctx, s, agent)
	sig.Expected = agent.Expected
	switch {
	case !known:
		sig.weight, sig.Detail = doubtful, fmt.Sprintf(
			"no expected version of agent %q is known: NemoClaw's manifests do not name it, nor does [agents.%s] in the config", s.Row.Agent, s.Row.Agent)
	case sig.Current == "":
		sig.weight = doubtful
	default:
		sig.compareAgent(agent)
	}

	return sig
}

func (sig *signal) compareAgent(agent Agent) {
	order, ok := compareVersions(sig.Current, sig.Expected)
	switch {
	case !ok:
		sig.weight, sig.Detail = doubtful, "the two cannot be compared as versions"
	case scheme(sig.Current) != agent.scheme():
		sig.weight, sig.Code = behind, CodeVersionScheme
		sig.Detail = fmt.Sprintf("different version schemes: %s inside, %s expected", scheme(sig.Current), agent.scheme())
	case order < 0:
		sig.weight = behind
	default:
		sig.weight = agrees
	}
}

// agentVersion is the version of the agent in s, or "" and why it is not known.
func (in Input) agentVersion(ctx context.Context, s sandbox.Sandbox, agent Agent) (version, why string) {
	if !running(s) || in.Probe == nil {
		if s.Row.AgentVersion == "" {
			return "", "it does not run, and no version of its agent is recorded"
		}
		return s.Row.AgentVersion, ""
	}

	argv := agent.argv(s.Row.Agent)
	if len(argv) == 0 {
		return "", fmt.Sprintf("no version command of agent %q is known", s.Row.Agent)
	}
	output, err := in.bounded(ctx, func(ctx context.Context) (string, error) { return in.Probe(ctx, s, argv) })
	if err != nil {
		return "", fmt.Sprintf("`%s` in the sandbox: %v", strings.Join(argv, " "), err)
	}
	if version = versionIn(output, argv[0]); version == "" {
		return "", fmt.Sprintf("`%s` in the sandbox printed no version", strings.Join(argv, " "))
	}
	return version, ""
}

// supervisorSignal compares the supervisor that runs the sandbox with its gateway. A sandbox that does not run need not
// answer.
func (in Input) supervisorSignal(ctx context.Context, s sandbox.Sandbox) signal {
	sig := signal{Reason: Reason{Code: CodeSupervisor, Expected: in.Gateways[s.Gateway].String()}}
	if in.Supervisor == nil || (s.Container == nil && !running(s)) {
		return sig
	}
	var version drift.Version
	_, err := in.bounded(ctx, func(ctx context.Context) (_ string, err error) {
		version, err = in.Supervisor(ctx, s)
		return "", err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.Container == nil:
		sig.weight, sig.Detail = noted, "no container of it was seen on this host, so its supervisor could not be asked"
		return sig
	case errors.Is(err, fs.ErrNotExist) || (err != nil && !running(s)):
		sig.weight, sig.Detail = noted, err.Error()
		return sig
	case err != nil:
		sig.weight, sig.Detail = doubtful, err.Error()
		return sig
	}

	sig.Current = version.String()
	order, ok := version.Compare(in.Gateways[s.Gateway])
	switch {
	case !ok:
		sig.weight, sig.Detail = noted, "supervisor and gateway cannot be compared: one of the versions is not known"
	case order < 0:
		sig.weight = behind
	default:
		sig.weight = agrees
	}

	return sig
}

// fingerprintSignal compares the NemoClaw that built the image with the one on this host. Only managed images carry the
// fingerprint, and a missing one is never drift.
func (in Input) fingerprintSignal(s sandbox.Sandbox) signal {
	sig := signal{Reason: Reason{Code: CodeFingerprint}}
	if s.Row == nil || s.Row.NemoclawVersion == "" || in.NemoClaw == "" {
		return sig
	}
	sig.Current, sig.Expected = s.Row.NemoclawVersion, in.NemoClaw
	built, here := strings.TrimPrefix(sig.Current, "v"), strings.TrimPrefix(sig.Expected, "v")
	order, ok := compareVersions(built, here)
	switch {
	case built == here:
		sig.weight = agrees
	case ok && order == 0 && !strings.ContainsAny(here, "-+"):
		// A checkout records 0.0.113-4-gabc1234; what NemoClaw prints of itself may be cut to the version.
		sig.weight, sig.Detail = noted, "the same version; whether it is the same build cannot be told"
	case ok && order > 0:
		sig.weight, sig.Detail = behind, "the NemoClaw on this host is the older one (downgrade)"
	default:
		sig.weight = behind
	}

	return sig
}
