package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPullOfAnImageThatIsOnlyInItsRegistry(t *testing.T) {
	p := newPullHost(t)
	pushed := len(p.registry.Calls())
	if got := p.upgrade("--check"); got.ExitCode != 4 || got.Result.Totals["stale"] != 1 || p.here() || len(p.registry.Calls()) != pushed {
		t.Errorf("--check: exit %d, %+v, image here: %v, registry asked %q", got.ExitCode, got.Result, p.here(), p.registry.Calls()[pushed:])
	}
	plan := p.text("upgrade-sandboxes", "--only", p.name, "--allow-unverified")
	want := p.name + ": running; from " + p.image + ", which is not on this host and is pulled first (" + p.digest + ")"
	if plan.exit != 2 || !strings.Contains(plan.stderr, want) || p.here() {
		t.Errorf("the plan: exit %d, image here: %v\n%s\nwant %q", plan.exit, p.here(), plan.stderr, want)
	}
	p.untouched()

	release := p.registry.Hold(1 << 20)
	got, said := p.during("pulling", func() {
		p.untouched()
		release()
	})
	p.outcome(got, 0, "upgraded")
	if !strings.Contains(said, p.name+": pulled\n"+p.name+": rehearsing\n") {
		t.Errorf("it said:\n%s", said)
	}
	p.holds("running", p.newID)
	if again := p.upgrade(); again.ExitCode != 0 || again.Result.Totals["current"] != 1 {
		t.Errorf("a second time: exit %d, error %+v, result %+v", again.ExitCode, again.Error, again.Result)
	}
}

func TestPullIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	p := newPullHost(t)
	text := func() printed {
		return p.text("upgrade-sandboxes", "--only", p.name, "--yes", "--allow-unverified", "--settle", "300ms")
	}
	refused := func(says, fix string) {
		t.Helper()
		got := text()
		if got.exit != 1 || !strings.Contains(got.stdout, `nothing was touched; image: image "`+p.image+`" is not on this host, and cannot be pulled: `+says) || !strings.Contains(got.stdout, "; "+fix+"\n") {
			t.Errorf("exit %d\n%s%s\nwant %q and %q", got.exit, got.stdout, got.stderr, says, fix)
		}
		if p.here() {
			t.Error("it was pulled")
		}
		p.untouched()
	}
	p.registry.Demand("ann", "s3cret")
	refused("the registry does not let us in: ", "docker login "+p.registry.Address)
	config := filepath.Join(p.home, ".docker/config.json")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, config, `{"auths": {"`+p.registry.Address+`": {"auth": "`+base64.StdEncoding.EncodeToString([]byte("ann:guess"))+`"}}}`)
	refused("the registry does not let us in: ", "docker login "+p.registry.Address)

	// The password comes from a helper from now on.
	bin := t.TempDir()
	helper := filepath.Join(bin, "docker-credential-e2e")
	if err := os.WriteFile(helper, []byte("#!/bin/sh\nread server\necho \"{\\\"Username\\\":\\\"ann\\\",\\\"Secret\\\":\\\"s3cret\\\"}\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, config, `{"credHelpers": {"`+p.registry.Address+`": "e2e"}}`)
	p.env = append(p.env, "PATH="+filepath.Dir(p.openshell)+":"+bin+":/usr/bin:/bin")
	p.registry.Forget(pullRepository, "2")
	refused("the registry does not have it: manifest unknown", "docker pull "+p.image)

	if err := p.registry.Tag(pullRepository, "2", p.digest); err != nil {
		t.Fatal(err)
	}
	got := text()
	if got.exit != 0 || strings.Contains(got.stdout+got.stderr, "s3cret") {
		t.Fatalf("with tag and password: exit %d\n%s%s", got.exit, got.stdout, got.stderr)
	}
	p.holds("running", p.newID)
}

func TestPullFromARegistryThatDied(t *testing.T) {
	moments := map[string]time.Duration{"between plan and pull": 0}
	if allRounds() {
		moments["in the middle of a layer"] = 500 * time.Millisecond // Docker tries again for 75 s
	}
	for name, after := range moments {
		t.Run(name, func(t *testing.T) {
			p := newPullHost(t)
			p.registry.Hold(1 << 20)
			greetings := 0
			p.registry.Before(func(call string) {
				if call != "GET /v2/" {
					return
				}
				if greetings++; greetings != 2 { // the first is the question whether it has the image
					return
				}
				if after == 0 {
					p.registry.Close()
					return
				}
				time.AfterFunc(after, p.registry.Close)
			})
			p.died()
		})
	}
}

func (p *pullHost) died() {
	p.t.Helper()
	got, said := p.during("pulling", func() {})
	one := p.outcome(got, 1, "failed")
	if one.Step != "pulling" || one.Unfinished || !strings.Contains(one.Reason, `pulling image "`+p.image+`": the registry cannot be reached: `) {
		p.t.Errorf("%+v, want it failed at pulling\n%s", one, said)
	}
	p.untouched()
	if again := p.upgrade("--resume"); again.ExitCode != 10 || again.Error.Kind != "not_found" {
		p.t.Errorf("something is left in the journal: exit %d, %+v, %+v", again.ExitCode, again.Error, again.Result)
	}
}

func TestPullKilled(t *testing.T) {
	for then, want := range map[string]string{"--resume": "upgraded", "--rollback": "rolled_back"} {
		for _, stage := range []string{"pulling", "pulled"} {
			t.Run(stage+", then "+then, func(t *testing.T) { newPullHost(t).killed(stage, then, want) })
		}
	}
}

func (p *pullHost) killed(stage, then, want string) {
	p.t.Helper()
	release := func() {}
	if stage == "pulling" {
		release = p.registry.Hold(1 << 20)
	}
	p.killAt(stage, "--no-rehearsal") // or it is at the rehearsal before it is killed, where nothing is left unfinished
	if stage == "pulling" {
		p.untouched()
	}
	if p.here() != (stage == "pulled") {
		p.t.Fatalf("killed at %s, the image is here: %v", stage, p.here())
	}
	if refused := p.upgrade(); refused.ExitCode != 1 || refused.Error == nil || !strings.Contains(refused.Error.Message, "not finished") || !strings.Contains(refused.Error.Hint, "--rollback") {
		p.t.Errorf("a plain run over an unfinished one: exit %d, %+v", refused.ExitCode, refused.Error)
	}
	release()
	p.outcome(p.upgrade(then), 0, want)
	p.holds("running", map[string]string{"upgraded": p.newID, "rolled_back": p.oldID}[want])
}

// TestPulledImageThatIsPrunedMeanwhile takes the image away again before the sandbox is created from it.
func TestPulledImageThatIsPrunedMeanwhile(t *testing.T) {
	p := newPullHost(t)
	got, said := p.during("stopping", func() {
		p.registry.Close() // or its gateway would pull it again
		p.forget()
	})
	one := p.outcome(got, 1, "rolled_back")
	if one.Step != "waiting" || !strings.Contains(one.Reason, "ImagePullFailed") {
		t.Errorf("%+v\n%s", one, said)
	}
	p.cameBack("running", one.RollbackImage)
}
