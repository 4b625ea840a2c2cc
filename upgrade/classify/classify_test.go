package classify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/sandbox"
)

func claw(change ...func(*sandbox.Sandbox)) sandbox.Sandbox {
	s := sandbox.Sandbox{
		Name: "alpha", Gateway: "nemoclaw", Registered: true, Standing: sandbox.Ready, Route: sandbox.ByContainer,
		Row:       &sandbox.Row{Name: "alpha", Agent: "openclaw", AgentVersion: "2026.7.1", NemoclawVersion: "0.0.113"},
		Container: &engine.Container{ID: "c1", Name: "openshell-alpha", Image: "claw:1", ImageID: "sha256:aa", State: "running"},
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// parsed is what the text says, a version or none.
func parsed(text string) drift.Version {
	v, _ := drift.Parse(text)
	return v
}

// agreeing is an input in which every signal of claw() agrees.
func agreeing(s ...sandbox.Sandbox) Input {
	return Input{
		Inventory: sandbox.Inventory{Sandboxes: s},
		Agents: Agents{ByName: map[string]Agent{
			"openclaw": {Expected: "2026.7.1", Argv: []string{"openclaw", "--version"}}, "hermes": {Expected: "0.19.0"}, "nemocua": {},
		}},
		NemoClaw: "0.0.113", Gateways: map[string]drift.Version{"nemoclaw": parsed("0.0.110")},
		Probe: func(context.Context, sandbox.Sandbox, []string) (string, error) {
			return "openclaw 2026.7.1 (abc)\n", nil
		},
		ImageID:    func(context.Context, sandbox.Sandbox, string) (string, error) { return "sha256:aa", nil },
		Supervisor: func(context.Context, sandbox.Sandbox) (drift.Version, error) { return parsed("0.0.110"), nil },
	}
}

func stopped(s *sandbox.Sandbox) {
	c := *s.Container
	c.State, s.Container, s.Standing = "exited", &c, sandbox.Stopped
}

func TestClassify(t *testing.T) {
	probe := func(output string, err error) func(*Input) {
		return func(in *Input) {
			in.Probe = func(context.Context, sandbox.Sandbox, []string) (string, error) { return output, err }
		}
	}
	image := func(id string, err error) func(*Input) {
		return func(in *Input) {
			in.ImageID = func(context.Context, sandbox.Sandbox, string) (string, error) { return id, err }
		}
	}
	supervisor := func(v string, err error) func(*Input) {
		return func(in *Input) {
			in.Supervisor = func(context.Context, sandbox.Sandbox) (drift.Version, error) { return parsed(v), err }
		}
	}
	byID := func(s *sandbox.Sandbox) { s.Container.Image = s.Container.ImageID }
	recipe := func(ref, id string, err error) func(*Input) {
		return func(in *Input) {
			in.RecipeImage = func(context.Context, sandbox.Sandbox) (string, error) { return ref, err }
			in.ImageID = func(_ context.Context, _ sandbox.Sandbox, asked string) (string, error) {
				switch {
				case asked != "claw:1":
					return "", fmt.Errorf("image %q was asked for", asked)
				case err != nil:
					return "sha256:bb", nil
				case id == "":
					return "", fs.ErrNotExist
				}
				return id, nil
			}
		}
	}
	none := func(in *Input) { in.Probe, in.ImageID, in.Supervisor, in.NemoClaw = nil, nil, nil, "" }
	for name, c := range map[string]struct {
		sandbox sandbox.Sandbox
		change  func(*Input)
		state   State
		reasons string // code current expected, one a line
		detail  string // somewhere in the reasons
	}{
		"everything agrees":             {claw(), nil, Current, "", ""},
		"agent behind":                  {claw(), probe("OpenClaw 2026.5.27", nil), Stale, "agent-version 2026.5.27 2026.7.1", ""},
		"agent ahead":                   {claw(), probe("OpenClaw 2026.10.1", nil), Current, "", ""},
		"the probe outranks the record": {claw(func(s *sandbox.Sandbox) { s.Row.AgentVersion = "2026.1.1" }), nil, Current, "", ""},
		"a failed probe is not made good by the record":        {claw(), probe("", errors.New("no such file")), Unknown, "agent-version  2026.7.1", "no such file"},
		"a probe that prints no version":                       {claw(), probe("openclaw: usage", nil), Unknown, "agent-version  2026.7.1", "printed no version"},
		"a failed probe does not hide what is proven":          {claw(), func(in *Input) { probe("", errors.New("x"))(in); in.NemoClaw = "0.0.114" }, Stale, "fingerprint 0.0.113 0.0.114", ""},
		"stopped, record agrees":                               {claw(stopped), probe("", errors.New("must not be asked")), Current, "", ""},
		"stopped, record behind":                               {claw(stopped, func(s *sandbox.Sandbox) { s.Row.AgentVersion = "2026.5.27" }), nil, Stale, "agent-version 2026.5.27 2026.7.1", ""},
		"stopped, nothing recorded":                            {claw(stopped, func(s *sandbox.Sandbox) { s.Row.AgentVersion = "" }), nil, Unknown, "agent-version  2026.7.1", "no version of its agent is recorded"},
		"paused counts as not running":                         {claw(func(s *sandbox.Sandbox) { s.Container.State = "paused" }), probe("", errors.New("must not be asked")), Current, "", ""},
		"record is no version":                                 {claw(stopped, func(s *sandbox.Sandbox) { s.Row.AgentVersion = "latest" }), nil, Unknown, "agent-version latest 2026.7.1", "cannot be compared"},
		"calendar against semver":                              {claw(func(s *sandbox.Sandbox) { s.Row.Agent = "hermes" }), probe("hermes 2026.6.19", nil), Stale, "version-scheme 2026.6.19 0.19.0", "calendar inside, semver expected"},
		"semver against calendar":                              {claw(), probe("openclaw 3.1.0", nil), Stale, "version-scheme 3.1.0 2026.7.1", "semver inside, calendar expected"},
		"agent that nobody knows":                              {claw(func(s *sandbox.Sandbox) { s.Row.Agent = "pi" }), nil, Unknown, "agent-version 2026.7.1 ", `[agents.pi]`},
		"agent whose version is not pinned":                    {claw(func(s *sandbox.Sandbox) { s.Row.Agent = "nemocua" }), probe("", errors.New("must not be asked")), Current, "", ""},
		"image behind its tag":                                 {claw(), image("sha256:bb", nil), Stale, "image sha256:aa sha256:bb", `"claw:1"`},
		"image id without its prefix":                          {claw(), image("aa", nil), Current, "", ""},
		"image tag is gone":                                    {claw(), image("", fmt.Errorf("no image: %w", fs.ErrNotExist)), Unknown, "image sha256:aa ", "no longer on this host"},
		"the recipe's tag has moved":                           {claw(byID), recipe("claw:1", "sha256:bb", nil), Stale, "image sha256:aa sha256:bb", `"claw:1"`},
		"the recipe's tag has not moved":                       {claw(byID), recipe("claw:1", "sha256:aa", nil), Current, "", ""},
		"the recipe's tag is gone":                             {claw(byID), recipe("claw:1", "", nil), Unknown, "image sha256:aa ", "no longer on this host"},
		"the recipe is pinned":                                 {claw(byID), recipe("claw@sha256:cc", "sha256:bb", nil), Current, "", ""},
		"the recipe cannot be read":                            {claw(byID), recipe("", "", errors.New("gateway down")), Unknown, "image  ", "gateway down"},
		"the recipe cannot be read, the container has the tag": {claw(), recipe("claw:1", "", errors.New("gateway down")), Stale, "image sha256:aa sha256:bb", `"claw:1"`},
		"rolled back, the tag from before has moved": {
			claw(byID, func(s *sandbox.Sandbox) { s.Container.Labels = map[string]string{OriginLabel: "claw:1"} }),
			recipe("sandkeeper-rollback/alpha:1", "sha256:bb", nil), Stale, "image sha256:aa sha256:bb", `"claw:1"`,
		},
		"engine cannot say":                           {claw(), image("", errors.New("engine down")), Unknown, "image sha256:aa ", "engine down"},
		"pinned image":                                {claw(func(s *sandbox.Sandbox) { s.Container.Image = "r@sha256:cc" }), image("sha256:bb", nil), Current, "", ""},
		"pinned container, the row has the tag":       {claw(func(s *sandbox.Sandbox) { s.Container.Image, s.Row.ImageTag = "sha256:aa", "claw:2" }), image("sha256:bb", nil), Stale, "image sha256:aa sha256:bb", "claw:2"},
		"supervisor behind":                           {claw(), supervisor("0.0.99", nil), Stale, "supervisor 0.0.99 0.0.110", ""},
		"supervisor is a development build before it": {claw(), supervisor("0.0.110-dev.3+gabcdef012", nil), Stale, "supervisor 0.0.110-dev.3+gabcdef012 0.0.110", ""},
		"supervisor ahead":                            {claw(), supervisor("0.0.111", nil), Current, "", ""},
		"supervisor does not answer":                  {claw(), supervisor("", errors.New("exec refused")), Unknown, "supervisor  0.0.110", "exec refused"},
		"supervisor is not there":                     {claw(), supervisor("", fs.ErrNotExist), Current, "", ""},
		"supervisor of a stopped one":                 {claw(stopped), supervisor("", errors.New("not running")), Current, "", ""},
		"build without a version":                     {claw(), supervisor("0.0.0", nil), Current, "", ""},
		"fingerprint differs":                         {claw(), func(in *Input) { in.NemoClaw = "0.0.98" }, Stale, "fingerprint 0.0.113 0.0.98", "downgrade"},
		"fingerprint of a checkout, cut on this side": {claw(func(s *sandbox.Sandbox) { s.Row.NemoclawVersion = "0.0.113-4-gabc1234" }), nil, Current, "", ""},
		"fingerprint of another checkout":             {claw(func(s *sandbox.Sandbox) { s.Row.NemoclawVersion = "0.0.113" }), func(in *Input) { in.NemoClaw = "v0.0.113-4-gabc1234" }, Stale, "fingerprint 0.0.113 v0.0.113-4-gabc1234", ""},
		"fingerprint missing":                         {claw(func(s *sandbox.Sandbox) { s.Row.NemoclawVersion = "" }), func(in *Input) { in.NemoClaw = "9.9.9" }, Current, "", ""},
		"unregistered, image agrees":                  {claw(func(s *sandbox.Sandbox) { s.Row, s.Registered = nil, false }), nil, Current, "", ""},
		"unregistered, nothing to compare":            {claw(func(s *sandbox.Sandbox) { s.Row, s.Registered = nil, false }), none, Unknown, "inventory  ", "nothing about it can be compared"},
		"no container to ask":                         {claw(func(s *sandbox.Sandbox) { s.Row, s.Container = nil, nil }), func(in *Input) { none(in); supervisor("", fs.ErrNotExist)(in) }, Unknown, "supervisor  0.0.110", "no container of it was seen"},
		"only what need not be known":                 {claw(func(s *sandbox.Sandbox) { s.Row = nil }), func(in *Input) { none(in); image("", fs.ErrNotExist)(in) }, Unknown, "image sha256:aa ", "no longer on this host"},
		"orphaned":                                    {claw(func(s *sandbox.Sandbox) { s.Standing, s.Container = sandbox.Orphaned, nil }), nil, Orphaned, "", ""},
		"ambiguous":                                   {claw(func(s *sandbox.Sandbox) { s.Standing, s.Reason = sandbox.Ambiguous, "two claim it" }), nil, Unknown, "inventory  ", "two claim it"},
		"bad name":                                    {claw(func(s *sandbox.Sandbox) { s.Standing, s.Reason = sandbox.BadName, "a slash" }), nil, Unknown, "inventory  ", "a slash"},
		"unseen":                                      {claw(func(s *sandbox.Sandbox) { s.Standing, s.Reason = sandbox.Unknown, "engine down" }), nil, Unknown, "inventory  ", "engine down"},
		"not ready, the record decides":               {claw(func(s *sandbox.Sandbox) { s.Standing, s.Container = sandbox.NotReady, nil }), probe("", errors.New("must not be asked")), Current, "", ""},
		"a name that newer OpenShell refuses":         {claw(func(s *sandbox.Sandbox) { s.Name = "a-name-of-20-letters" }), nil, Current, "name a-name-of-20-letters at most 19 characters", ""},
		"a check that panics": {claw(), func(in *Input) {
			in.Probe = func(context.Context, sandbox.Sandbox, []string) (string, error) { panic("boom") }
		}, Unknown, "inventory  ", "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			in := agreeing(c.sandbox)
			if c.change != nil {
				c.change(&in)
			}
			summary, err := Sandboxes(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			got := summary.Sandboxes[0]
			var lines, details []string
			for _, r := range got.Reasons {
				lines, details = append(lines, r.Code+" "+r.Current+" "+r.Expected), append(details, r.Detail)
			}
			if got.State != c.state || strings.Join(lines, "\n") != c.reasons || !strings.Contains(strings.Join(details, "\n"), c.detail) {
				t.Errorf("got %s %q %q, want %s %q %q", got.State, lines, details, c.state, c.reasons, c.detail)
			}
			if summary.NeedsAttention() != (c.state != Current) {
				t.Errorf("needs attention: %v in state %s", summary.NeedsAttention(), c.state)
			}
		})
	}
}

func TestClassifyJSONIsTheContract(t *testing.T) {
	in := agreeing(claw(), claw(func(s *sandbox.Sandbox) { s.Name, s.Standing = "gone", sandbox.Orphaned }))
	in.ImageID = func(context.Context, sandbox.Sandbox, string) (string, error) { return "sha256:bb", nil }
	in.Inventory.Warnings = []string{"w"}
	summary, err := Sandboxes(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"totals":{"current":0,"stale":1,"unknown":0,"orphaned":1},"sandboxes":[` +
		`{"name":"alpha","state":"stale","running":true,"reasons":[{"code":"image","current":"sha256:aa","expected":"sha256:bb","detail":"\"claw:1\" names another image now"}],"gateway":"nemoclaw"},` +
		`{"name":"gone","state":"orphaned","running":false,"reasons":[],"gateway":"nemoclaw"}],"warnings":["w"]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestClassifyOfNobodyIsAnEmptyList(t *testing.T) {
	summary, err := Sandboxes(t.Context(), agreeing())
	if text, _ := json.Marshal(summary); err != nil || !strings.Contains(string(text), `"sandboxes":[]`) || summary.NeedsAttention() {
		t.Errorf("%s, %v", text, err)
	}
}

func TestClassifyIsLinearBoundedAndInOrder(t *testing.T) {
	var all []sandbox.Sandbox
	for i := range 1000 {
		all = append(all, claw(func(s *sandbox.Sandbox) {
			s.Name = fmt.Sprintf("s%d", i)
			s.Container.Image = fmt.Sprintf("claw:%d", i%3)
		}))
	}
	in := agreeing(all...)
	var probes, looks, now, most atomic.Int64
	in.Probe = func(context.Context, sandbox.Sandbox, []string) (string, error) {
		probes.Add(1)
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		return "openclaw 2026.7.1", nil
	}
	in.ImageID = func(context.Context, sandbox.Sandbox, string) (string, error) { looks.Add(1); return "sha256:aa", nil }
	summary, err := Sandboxes(t.Context(), in)
	if err != nil || summary.Totals != (Totals{Current: 1000}) {
		t.Fatalf("%+v, %v", summary.Totals, err)
	}
	if probes.Load() != 1000 || looks.Load() != 3 || most.Load() > 8 {
		t.Errorf("%d probes, %d image look-ups, %d at once", probes.Load(), looks.Load(), most.Load())
	}
	for i, c := range summary.Sandboxes {
		if c.Name != fmt.Sprintf("s%d", i) {
			t.Fatalf("%d is %s", i, c.Name)
		}
	}
}

func TestClassifyBoundsEachProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := agreeing(claw(), claw(func(s *sandbox.Sandbox) { s.Name = "beta" }))
		in.Timeout = 3 * time.Second
		in.Probe = func(ctx context.Context, s sandbox.Sandbox, _ []string) (string, error) {
			if s.Name == "beta" {
				return "openclaw 2026.7.1", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		}
		start := time.Now()
		summary, err := Sandboxes(t.Context(), in)
		if err != nil || time.Since(start) != 3*time.Second {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		if got := summary.Sandboxes[0]; got.State != Unknown || !strings.Contains(got.Reasons[0].Detail, "no answer within 3s") {
			t.Errorf("%+v", got)
		}
		if summary.Sandboxes[1].State != Current {
			t.Errorf("one slow sandbox is another's trouble: %+v", summary.Sandboxes[1])
		}
	})
}

func TestClassifyStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sandboxes(ctx, agreeing(claw())); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClassifyInspectsWhereTheListingHidesTheTag(t *testing.T) {
	in := agreeing(claw(func(s *sandbox.Sandbox) { s.Container.Image = "sha256:aa" }))
	in.ImageID = func(_ context.Context, _ sandbox.Sandbox, ref string) (string, error) { return "id-of-" + ref, nil }
	in.Inspect = func(_ context.Context, s sandbox.Sandbox) (engine.Container, error) {
		id := s.Container.ID
		return engine.Container{ID: id, Image: "claw:1"}, nil
	}
	summary, err := Sandboxes(t.Context(), in)
	if err != nil || summary.Totals.Stale != 1 || summary.Sandboxes[0].Reasons[0].Expected != "id-of-claw:1" {
		t.Errorf("%+v, %v", summary, err)
	}
	in.Inspect = func(context.Context, sandbox.Sandbox) (engine.Container, error) {
		return engine.Container{}, errors.New("gone")
	}
	if summary, err = Sandboxes(t.Context(), in); err != nil || summary.Totals.Unknown != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
}
