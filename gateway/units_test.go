package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/internal/env"
)

// serviceHost is a host with a home, a root, and gateways of several versions at several places.
func serviceHost(t *testing.T) (o Options, home, root string) {
	t.Helper()
	home = t.TempDir()
	root = filepath.Join(home, "root")
	for path, version := range map[string]string{
		root + "/usr/bin/" + gatewayProgram: "0.0.44", home + "/mine/" + gatewayProgram: "0.0.43", home + "/other/" + gatewayProgram: "0.0.42",
	} {
		script(t, path, "echo openshell-gateway "+version)
	}
	o = Options{UID: os.Geteuid(), Root: root, Processes: table{}, Env: env.Parse([]string{"HOME=" + home})}
	return o.filled(), home, root
}

func lay(t *testing.T, path, content string) {
	t.Helper()
	parents(t, path)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	parents(t, path)
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// Promise: what would be started next is what the unit says, with its drop-ins, where an enabled one starts the gateway.
func TestTheUnitSaysWhatIsStartedNext(t *testing.T) {
	const service = "[Unit]\nExecStart=/not/this\n[Service]\nExecStart="
	enable := func(t *testing.T, dir string) { link(t, "../"+unitName, dir+"/default.target.wants/"+unitName) }
	for name, test := range map[string]struct {
		arrange func(t *testing.T, home, root string)
		want    string // version of the file; "" is unknown
		start   string
	}{
		"no unit": {func(*testing.T, string, string) {}, "0.0.44", ""},
		"an enabled user unit": {func(t *testing.T, home, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"-%h/mine/openshell-gateway --port 17670\n")
			enable(t, home+"/.config/systemd/user")
		}, "0.0.43", "systemctl --user start openshell-gateway"},
		"a drop-in that replaces the command": {func(t *testing.T, home, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"/usr/bin/openshell-gateway\n")
			lay(t, home+"/.config/systemd/user/"+unitName+".d/10-own.conf", "[Service]\nExecStart=\nExecStart=%h/other/openshell-gateway\n")
			enable(t, home+"/.config/systemd/user")
		}, "0.0.42", "systemctl --user start openshell-gateway"},
		"one that is not enabled": {func(t *testing.T, _, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"%h/mine/openshell-gateway\n")
		}, "0.0.44", "systemctl --user start openshell-gateway"},
		"a masked one": {func(t *testing.T, home, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"%h/mine/openshell-gateway\n")
			link(t, "/dev/null", home+"/.config/systemd/user/"+unitName)
			enable(t, home+"/.config/systemd/user")
		}, "0.0.44", ""},
		"a system unit": {func(t *testing.T, home, root string) {
			lay(t, root+"/etc/systemd/system/"+unitName, service+home+"/mine/openshell-gateway\n")
			enable(t, root+"/etc/systemd/system")
		}, "0.0.43", Host{Root: os.Geteuid() == 0}.AsRoot("systemctl start openshell-gateway")},
		"one of another port": {func(t *testing.T, home, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"%h/mine/openshell-gateway --port 9\n")
			enable(t, home+"/.config/systemd/user")
		}, "0.0.44", ""},
		"one that starts a wrapper": {func(t *testing.T, home, root string) {
			lay(t, root+"/usr/lib/systemd/user/"+unitName, service+"/bin/sh -c 'exec openshell-gateway'\n")
			enable(t, home+"/.config/systemd/user")
		}, "", "systemctl --user start openshell-gateway"},
		"Homebrew": {func(t *testing.T, _, root string) {
			script(t, root+"/opt/homebrew/opt/openshell/bin/"+gatewayProgram, "echo openshell-gateway 0.0.41")
			script(t, root+"/opt/homebrew/bin/brew", "")
		}, "0.0.41", "brew services start openshell"},
		"the snap": {func(t *testing.T, _, root string) {
			script(t, root+"/snap/openshell/current/bin/"+gatewayProgram, "echo openshell-gateway 0.0.40")
		}, "0.0.40", Host{Root: os.Geteuid() == 0}.AsRoot("snap start openshell.gateway")},
	} {
		t.Run(name, func(t *testing.T) {
			o, home, root := serviceHost(t)
			test.arrange(t, home, root)
			target := Target{Name: "openshell", Port: OpenShellPort}
			file := o.fileEvidence(t.Context(), target, Marker{}, "", "")
			if file.Version.String() != test.want || (file.State == drift.Known) != (test.want != "") {
				t.Errorf("file %+v, want %q", file, test.want)
			}
			if got := o.hostFacts(target).Start; got != test.start {
				t.Errorf("started by %q, want %q", got, test.start)
			}
		})
	}
}

// NemoClaw's own unit speaks for its gateways, the packages' does not, and the environment outranks both.
func TestNemoClawsOrderKeepsItsPlace(t *testing.T) {
	o, home, root := serviceHost(t)
	target := Target{Name: "nemoclaw", Port: NemoClawPort}
	lay(t, home+"/.nemoclaw/sandboxes.json", "{}")
	lay(t, root+"/usr/lib/systemd/user/"+unitName, "[Service]\nExecStart=%h/mine/openshell-gateway\n")
	link(t, "../"+unitName, home+"/.config/systemd/user/default.target.wants/"+unitName)
	ask := func(o Options) string {
		return o.fileEvidence(t.Context(), target, Marker{}, "", "").Version.String()
	}
	if got := ask(o); got != "0.0.44" {
		t.Errorf("beside the packages' unit: %q, want the one of NemoClaw's order", got)
	}
	lay(t, home+"/.config/systemd/user/"+nemoclawUnit, "[Service]\nExecStart=%h/other/openshell-gateway\n")
	link(t, "../"+nemoclawUnit, home+"/.config/systemd/user/default.target.wants/"+nemoclawUnit)
	if got := ask(o); got != "0.0.42" {
		t.Errorf("with NemoClaw's own unit: %q", got)
	}
	o.Env = o.Env.With("NEMOCLAW_OPENSHELL_GATEWAY_BIN=" + home + "/mine/" + gatewayProgram)
	if got := ask(o); got != "0.0.43" {
		t.Errorf("with the environment's: %q", got)
	}
}

// Promise: a command that is printed works as it is typed: a host on which people are root may have no sudo.
func TestRootNeedsNoSudo(t *testing.T) {
	system, own := Unit{Name: unitName}, Unit{Name: unitName, User: true}
	for _, c := range []struct {
		unit Unit
		root bool
		want string
	}{
		{system, true, "systemctl restart openshell-gateway"},
		{system, false, "sudo systemctl restart openshell-gateway"},
		{own, true, "systemctl --user restart openshell-gateway"},
		{own, false, "systemctl --user restart openshell-gateway"},
	} {
		if got := c.unit.systemctl(Host{Root: c.root}, "restart"); got != c.want {
			t.Errorf("%+v, root %t: %q, want %q", c.unit, c.root, got, c.want)
		}
	}

	for uid, want := range map[int]bool{rootUser: true, 1000: false} {
		o := Options{UID: uid, Env: env.Parse([]string{"HOME=" + t.TempDir()}), Root: t.TempDir()}
		if h := o.hostFacts(Target{Name: "openshell"}); h.Root != want {
			t.Errorf("user %d: %+v", uid, h)
		}
	}
}

// Promise: only the unit whose control group holds the process is told to be restarted.
func TestOnlyTheProcessesOwnUnitIsRestarted(t *testing.T) {
	for name, test := range map[string]struct {
		realm Realm
		uid   int
		want  string
	}{
		"the user's unit":        {Realm{Kind: Ours, Unit: unitName, UserUnit: true}, os.Geteuid(), "systemctl --user restart openshell-gateway"},
		"a unit of another name": {Realm{Kind: Ours, Unit: "lab.service", UserUnit: true}, os.Geteuid(), "systemctl --user restart lab"},
		"a terminal's group":     {Realm{Kind: Ours}, os.Geteuid(), ""},
		"a runner's service":     {Realm{Kind: Ours, Unit: "runner.service"}, os.Geteuid(), ""},
		"another user's":         {Realm{Kind: Ours, Unit: unitName, UserUnit: true}, 4711, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, _, root := serviceHost(t)
			lay(t, root+"/usr/lib/systemd/user/"+unitName, "[Service]\nExecStart=/usr/bin/openshell-gateway\n")
			lay(t, root+"/usr/lib/systemd/user/lab.service", "[Service]\nExecStart=/opt/lab/openshell-gateway\n")
			lay(t, root+"/etc/systemd/system/runner.service", "[Service]\nExecStart=/opt/runner/run.sh\n")
			p := Process{PID: 7, UID: test.uid, Args: []string{"/usr/bin/openshell-gateway"}}
			o.Processes = table{processes: []Process{p}, ports: map[int][]int{7: {OpenShellPort}}, realms: map[int]Realm{7: test.realm}}
			l := newLook(t.Context(), o, Target{Name: "openshell", Port: OpenShellPort})
			if got := l.restart(t.Context()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestUnitOfAControlGroup(t *testing.T) {
	for cgroup, want := range map[string]string{
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/openshell-gateway.service\n": "openshell-gateway.service user",
		"0::/system.slice/openshell-gateway.service\n":                                           "openshell-gateway.service",
		"0::/user.slice/user-1000.slice/session-3.scope\n":                                       "",
		"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n":                          "",
		"12:pids:/x\n1:name=systemd:/system.slice/gw.service\n0::/\n":                            "gw.service",
		"0::/\n": "",
	} {
		name, user := unitOfGroup(cgroup)
		if user {
			name += " user"
		}
		if name != want {
			t.Errorf("%q is %q, want %q", strings.TrimSpace(cgroup), name, want)
		}
	}
}
