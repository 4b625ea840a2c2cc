package gateway

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"sandkeeper/internal/env"
)

// twoGateways is a home with the usual database and another one elsewhere.
func twoGateways(t *testing.T) (o Options, usual, other string) {
	t.Helper()
	home := t.TempDir()
	usual, other = filepath.Join(home, ".local/state/openshell/gateway/openshell.db"), filepath.Join(home, "elsewhere/second one.db")
	_ = makeDatabase(t, usual, 1, 4, 5).Close()
	_ = makeDatabase(t, other, 1, 4, 5, 6).Close()
	o = Options{Env: env.Parse([]string{"HOME=" + home}), UID: os.Geteuid(), Root: filepath.Join(home, "root")}
	return o.filled(), usual, other
}

// start starts a stand-in gateway with these arguments and variables.
func start(t *testing.T, o Options, args []string, variables ...string) standIn {
	t.Helper()
	path := filepath.Join(o.Env.Home(), "bin", gatewayProgram)
	if !exists(path) {
		install(t, path, "0.0.110")
	}
	return up(t, &exec.Cmd{Path: path, Args: append([]string{path}, args...), Env: append(variables, "STAND_IN_PORT=0"), Dir: o.Env.Home()})
}

// The database of a gateway is the one that its process has open or was told to open, also where another lies in the usual place.
func TestDatabaseIsTheProcesss(t *testing.T) {
	o, usual, other := twoGateways(t)
	for name, test := range map[string]struct {
		args, variables []string
		want            string
	}{
		"--db-url":                {args: []string{"--db-url", "sqlite://" + strings.ReplaceAll(other, " ", "%20") + "?mode=rwc"}, want: other},
		"--db-url, relative":      {args: []string{"--db-url=sqlite:elsewhere/second one.db"}, want: other},
		"environment":             {variables: []string{"OPENSHELL_DB_URL=sqlite:" + other}, want: other},
		"descriptor":              {variables: []string{"STAND_IN_OPEN=" + other}, want: other},
		"the default of its home": {variables: []string{"HOME=" + o.Env.Home()}, want: usual},
		"no home, not told":       {},
		"told PostgreSQL":         {args: []string{"--db-url", "postgres://u:p@db/x"}, variables: []string{"HOME=" + o.Env.Home()}},
	} {
		t.Run(name, func(t *testing.T) {
			process := start(t, o, test.args, test.variables...)
			target := Target{Name: "second", Port: process.port, Endpoint: "http://127.0.0.1:" + strconv.Itoa(process.port)}
			got := o.databaseFile(t.Context(), target)
			if got.path != test.want || (got.why == "") != (test.want != "") {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
}

// A gateway that does not run has the database that its next start would open. A file in the usual place is not its own, when what
// starts it names another, when it is another port's, or when another gateway has it open.
func TestDatabaseOfAStoppedGateway(t *testing.T) {
	o, usual, other := twoGateways(t)
	home := o.Env.Home()
	units := filepath.Join(home, ".config/systemd/user")
	with := func(entries ...string) Options {
		o := o
		o.Env = o.Env.With(entries...)
		return o
	}
	service := "[Unit]\nDescription=x\n[Service]\nExecStartPre=/bin/true --db-url sqlite:/pre\nExecStart=/usr/bin/openshell-gateway"
	toml, bind := "../../openshell/gateway.toml", "[openshell]\nversion = 2\n[openshell.gateway]\nbind_address = \"127.0.0.1:18001\"\n"
	for name, test := range map[string]struct {
		o      Options
		files  map[string]string
		target Target
		want   string
		why    string
	}{
		"usual":                                 {o, nil, Target{Name: "openshell", Port: OpenShellPort}, usual, ""},
		"another port":                          {o, nil, Target{Name: "second", Port: 18001}, "", `nothing on this host says which database it is started with on port 18001`},
		"unit":                                  {o, map[string]string{unitName: service + " --db-url 'sqlite:" + other + "'\n"}, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"unit of its port":                      {o, map[string]string{unitName: service + " --port 18001 \\\n --db-url \"sqlite:" + other + "\"\n"}, Target{Name: "second", Port: 18001}, other, ""},
		"unit's environment":                    {o, map[string]string{unitName: service + "\nEnvironment=A=b \"OPENSHELL_DB_URL=sqlite:%h/elsewhere/second one.db\"\n"}, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"unit's file":                           {o, map[string]string{unitName: service + "\nEnvironmentFile=-%E/openshell/gateway.env\n"}, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"unit's drop-in":                        {o, map[string]string{unitName: service + "\n", unitName + ".d/10.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/openshell-gateway --db-url \"sqlite:" + other + "\"\n"}, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"unit of another port":                  {o, map[string]string{unitName: service + " --port 18001 --db-url sqlite:/second.db\n"}, Target{Name: "openshell", Port: OpenShellPort}, usual, ""},
		"port of gateway.toml":                  {o, map[string]string{toml: bind}, Target{Name: "second", Port: 18001}, usual, ""},
		"gateway.toml's other port":             {o, map[string]string{toml: bind}, Target{Name: "openshell", Port: OpenShellPort}, "", `nothing on this host says which database it is started with on port 17670`},
		"unit, port of its file":                {o, map[string]string{unitName: service + " --config %h/own.toml --db-url 'sqlite:" + other + "'\n", "../../../own.toml": bind}, Target{Name: "second", Port: 18001}, other, ""},
		"unit's flag before its file":           {o, map[string]string{unitName: service + " --port 17670 --db-url 'sqlite:" + other + "'\n", toml: bind}, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"our environment, port of gateway.toml": {with("OPENSHELL_DB_URL=sqlite:" + other), map[string]string{toml: bind}, Target{Name: "second", Port: 18001}, other, ""},
		"masked unit":                           {o, map[string]string{unitName: "", unitName + ".d/10.conf": service + " --db-url sqlite:/masked\n"}, Target{Name: "openshell", Port: OpenShellPort}, usual, ""},
		"our environment":                       {with("OPENSHELL_DB_URL=sqlite:" + other), nil, Target{Name: "openshell", Port: OpenShellPort}, other, ""},
		"our environment's port":                {with("OPENSHELL_DB_URL=sqlite:"+other, "OPENSHELL_SERVER_PORT=18001"), nil, Target{Name: "openshell", Port: OpenShellPort}, usual, ""},
		"NemoClaw's, by port":                   {with("OPENSHELL_DB_URL=sqlite:" + other), nil, Target{Name: "nemoclaw-8091", Port: 8091}, filepath.Join(home, ".local/state/nemoclaw/openshell-docker-gateway-8091/openshell.db"), ""},
		"two packages":                          {o, map[string]string{"../../../root/var/snap/openshell/common/gateway.db": "x"}, Target{Name: "openshell", Port: OpenShellPort}, "", "nothing says which of these databases"},
		"a URL without whole path":              {with("OPENSHELL_DB_URL=sqlite:x.db"), nil, Target{Name: "openshell", Port: OpenShellPort}, "", "does not name an SQLite file by its whole path"},
	} {
		t.Run(name, func(t *testing.T) {
			for file, content := range test.files {
				path := filepath.Join(units, file)
				parents(t, path)
				write(content)(t, path)
				t.Cleanup(func() { _ = os.Remove(path) })
			}
			parents(t, filepath.Join(home, ".config/openshell/gateway.env"))
			write("# ours\nOPENSHELL_DB_URL='sqlite:"+other+"'\n")(t, filepath.Join(home, ".config/openshell/gateway.env"))
			test.o.Processes = table{}
			got := test.o.databaseFile(t.Context(), test.target)
			if got.path != test.want || !strings.Contains(got.why, test.why) || (got.why == "") != (test.want != "") {
				t.Errorf("got %+v, want %q or %q", got, test.want, test.why)
			}
		})
	}
}

func TestDatabaseOfAStoppedGatewayIsNotTheRunningOnes(t *testing.T) {
	o, usual, _ := twoGateways(t)
	process := start(t, o, nil, "STAND_IN_OPEN="+usual)
	got := o.databaseFile(t.Context(), Target{Name: "openshell", Port: OpenShellPort})
	if want := "process " + strconv.Itoa(process.Process.Pid); got.path != "" || !strings.Contains(got.why, want) {
		t.Errorf("got %+v, want that %s has it open", got, want)
	}
	runtime.KeepAlive(process)
}
