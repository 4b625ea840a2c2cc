package preflight

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
)

func host(t *testing.T) HostInput {
	t.Helper()
	root := filepath.Join(t.TempDir(), "backups")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	return HostInput{
		Seen: healthy(), Root: root, UID: os.Getuid(), Names: []string{"alpha", "beta-2"},
		Database: func(context.Context) gateway.Database {
			return gateway.Database{State: drift.Known, Path: "/db", Migrations: []int{1, 4, 5}}
		},
		Supervisor: func(context.Context, engine.Container) (drift.Version, error) { return parsed("0.0.44"), nil },
		Free:       func() (int64, error) { return 1000e6, nil },
		Need:       func(context.Context) Need { return Need{Bytes: 100e6, Sandboxes: 2} },
		Holder:     func() (string, bool) { return "", false },
	}
}

func database(d gateway.Database) func(*HostInput) {
	return func(in *HostInput) { in.Database = func(context.Context) gateway.Database { return d } }
}

func applied(migrations ...int) func(*HostInput) {
	return database(gateway.Database{State: drift.Known, Path: "/db", Migrations: migrations})
}

func sandboxes(supervisor func(name string) (string, error)) func(*HostInput) {
	return func(in *HostInput) {
		in.Seen.Containers = []engine.Container{{Name: "c-a", SandboxName: "a", State: "running"}, {Name: "c-b", SandboxName: "b", State: "exited"}, {Name: "c-a-supervisor", SandboxName: "a", State: "running", Role: "supervisor"}}
		in.Supervisor = func(_ context.Context, c engine.Container) (drift.Version, error) {
			version, err := supervisor(c.SandboxName)
			return parsed(version), err
		}
	}
}

func config(next string, answers bool, c gateway.Config) func(*HostInput) {
	return func(in *HostInput) {
		in.Seen.File = drift.File{Path: "/g", Evidence: drift.Evidence{State: drift.Known, Version: parsed(next)}}
		if !answers {
			in.Seen.Served = gateway.Served{}
		}
		c.Path = "/c"
		in.Config = func(context.Context) gateway.Config { return c }
	}
}

func TestHostChecks(t *testing.T) {
	for _, test := range []struct {
		code, want, fix string // want is the beginning of "status: detail"
		change          func(*HostInput)
	}{
		{CodeDatabase, "pass: /db: gateway 0.0.44 reads generation 5", "", nil},
		{CodeDatabase, "pass: /db: gateway 0.0.44 brings it forward from generation 4 to 5", "", applied(1, 4)},
		{CodeDatabase, "fail: /db: it was written by a newer OpenShell: it has migration 6, and gateway 0.0.44 knows those up to 5, so it will not start", "", applied(1, 4, 5, 6)},
		{CodeDatabase, "fail: /db: it was written by OpenShell 0.0.36 or older", "sandkeeper backup-all --offline", func(in *HostInput) {
			applied(1, 2, 3)(in)
			in.Seen.Containers = []engine.Container{{Name: "c"}}
		}},
		{CodeDatabase, "fail: /db: migration 5 was begun and did not end", "", database(gateway.Database{State: drift.Known, Path: "/db", Migrations: []int{1, 4, 5}, Unfinished: []int{5}})},
		{CodeDatabase, "fail: /db: it was written by a newer", "", func(in *HostInput) {
			applied(1, 4, 5, 6)(in) // the gateway that runs reads it, the file that starts next does not
			in.Seen.Process.Version, in.Seen.File.Version = parsed("0.0.88"), parsed("0.0.44")
		}},
		{CodeDatabase, "warn: the database could not be read: torn", "", database(gateway.Database{State: drift.Unknown, Why: "torn"})},
		{CodeDatabase, "skip: none on this host (no file /x)", "", database(gateway.Database{State: drift.Absent, Why: "no file /x"})},
		{CodeDatabase, "skip: OPENSHELL_DB_URL names a PostgreSQL server", "", database(gateway.Database{State: drift.Absent, Postgres: true})},
		{CodeDatabase, "warn: /db has generation 5 (migrations 1, 4, 5); no gateway's version is known", "", func(in *HostInput) {
			in.Seen.Process, in.Seen.File, in.Seen.Served = drift.Process{}, drift.File{}, gateway.Served{}
		}},
		{CodeDatabase, "skip: not looked at", "", func(in *HostInput) { in.Database = nil }},

		{CodeConfig, "skip: no gateway of OpenShell 0.1.0 or later", "", config("0.0.116", false, gateway.Config{State: drift.Known, Version: 1})},
		{CodeConfig, "skip: not looked at", "", func(in *HostInput) { in.Config = nil }},
		{CodeConfig, "pass: gateway 0.1.9 accepts /c", "", config("0.1.9", false, gateway.Config{State: drift.Known, Version: 2, Asked: true})},
		{CodeConfig, "pass: /c is of version 2; gateway 0.1.9 could not be asked", "", config("0.1.9", false, gateway.Config{State: drift.Known, Version: 2})},
		{CodeConfig, "pass: none (no file /c)", "", config("0.1.9", false, gateway.Config{State: drift.Absent, Why: "no file /c"})},
		{CodeConfig, "fail: /c is of version 1, and gateway 0.1.9 starts with version 2 only", "sandkeeper migrate plan -g nemoclaw", config("0.1.9", false, gateway.Config{State: drift.Known})},
		{CodeConfig, "warn: /c is of version 1, and gateway 0.1.9 starts with version 2 only. The gateway that answers now", "sandkeeper migrate plan -g nemoclaw", config("0.1.9", true, gateway.Config{State: drift.Known, Version: 1})},
		{CodeConfig, "fail: gateway 0.1.9 refuses /c: unknown field", "/g config preflight --path /c", config("0.1.9", false, gateway.Config{State: drift.Known, Version: 2, Asked: true, Refused: "unknown field"})},
		{CodeConfig, "warn: it cannot be read", "/g config preflight --path /c", config("0.1.9", false, gateway.Config{State: drift.Unknown, Why: "it cannot be read"})},
		{CodeConfig, `fail: gateway "nemoclaw" has no TLS`, "", config("0.1.6", false, gateway.Config{State: drift.Known, Version: 2, Asked: true, Open: true})},
		{CodeConfig, `fail: gateway "nemoclaw" has no TLS`, "", config("0.2.0", false, gateway.Config{State: drift.Absent, Open: true})},
		{CodeConfig, "pass: gateway 0.1.5 accepts", "", config("0.1.5", false, gateway.Config{State: drift.Known, Version: 2, Asked: true, Open: true})},

		{CodeSupervisor, "pass: running sandboxes: 1, none", "", sandboxes(func(string) (string, error) { return "0.0.44", nil })},
		{CodeSupervisor, "warn: older than the gateway's version 0.0.44: a (0.0.43)", "sandkeeper upgrade-sandboxes --check", sandboxes(func(string) (string, error) { return "0.0.43", nil })},
		{CodeSupervisor, "warn: newer than the gateway's version 0.0.44: a (0.0.45); bring the gateway to that version", "", sandboxes(func(string) (string, error) { return "0.0.45", nil })},
		{CodeSupervisor, "warn: unknown: a (no answer)", "", sandboxes(func(string) (string, error) { return "", errors.New("no answer") })},
		{CodeSupervisor, "pass: running sandboxes: 1", "", sandboxes(func(string) (string, error) { return "", fmt.Errorf("none: %w", fs.ErrNotExist) })},
		{CodeSupervisor, "skip: no container engine answers", "", func(in *HostInput) { in.Seen.Engine.State = drift.Unknown }},

		{CodeLine, "pass: the gateway runs 0.0.44", "", nil},
		{CodeLine, "warn: the gateway runs 0.0.44 and the openshell CLI is 0.1.3: they are on different sides", "", func(in *HostInput) { in.Seen.CLI.Version = parsed("0.1.3") }},
		{CodeLine, "warn: the gateway runs 0.0.44 and the gateway's file", "", func(in *HostInput) { in.Seen.File.Version = parsed("0.1.3") }},
		{CodeLine, "warn: the openshell CLI is 0.0.44 and the gateway's file", "", func(in *HostInput) {
			in.Seen.Process, in.Seen.Served = drift.Process{}, gateway.Served{}
			in.Seen.File.Version = parsed("0.1.0")
		}},

		{CodeLine, "warn: containers of OpenShell 0.0.x are on this host (a) and the openshell CLI is 0.1.9: a gateway of 0.1.x does not see them", "sandkeeper backup-all --offline", func(in *HostInput) {
			in.Seen.Process, in.Seen.Served, in.Seen.File = drift.Process{}, gateway.Served{}, drift.File{}
			in.Seen.CLI.Version = parsed("0.1.9")
			in.Seen.Containers = []engine.Container{{Name: "c", SandboxName: "a", SandboxID: "id-a"}, {Name: "d", SandboxName: "new", SandboxID: "id-d", Role: "sandbox"}}
		}},

		{CodeNames, "pass: 2 names", "", nil},
		{CodeNames, "warn: OpenShell 0.0.106 and later refuse names of more than 19 characters: \"a-very-long-sandbox-name\" (24 characters). " +
			"Restore its backup under a shorter name with `sandkeeper restore NAME --to SHORTER`; a newer OpenShell accepts lower-case letters, digits and single hyphens only: \"A_b\"", "", func(in *HostInput) { in.Names = []string{"a-very-long-sandbox-name", "A_b", "exactly-nineteen-ch"} }},
		{CodeNames, `warn: a newer OpenShell accepts lower-case letters, digits and single hyphens only: "a--b"`, "", func(in *HostInput) { in.Names = []string{"a--b"} }},
		{CodeNames, "pass: no sandboxes", "", func(in *HostInput) { in.Names = nil }},

		{CodeEngineAPI, "pass: unix:///var/run/docker.sock speaks API 1.51", "", nil},
		{CodeEngineAPI, "fail: unix:///var/run/docker.sock speaks API 1.23; 1.24 is needed", "docker version", func(in *HostInput) { in.Seen.Engine.APIVersion = "1.23" }},
		{CodeEngineAPI, "pass: unix:///var/run/docker.sock speaks API 1.60; this program asks in 1.51", "", func(in *HostInput) { in.Seen.Engine.APIVersion = "1.60" }},
		{CodeEngineAPI, "warn: unix:///var/run/docker.sock did not say", "", func(in *HostInput) { in.Seen.Engine.APIVersion = "" }},
		{CodeEngineAPI, "fail: unix:///var/run/docker.sock refuses this program's API 1.51: client version 1.51 is too old", "docker version", func(in *HostInput) {
			in.Seen.Engine.State, in.Seen.Engine.Why = drift.Unknown, "client version 1.51 is too old. Minimum supported API version is 1.60"
		}},
		{CodeEngineAPI, "skip: no container engine on this host", "", func(in *HostInput) { in.Seen.Engine = engine.State{State: drift.Absent} }},

		{CodeSpace, "pass: about 100.0 MB for 2 sandboxes, 1.0 GB free", "", nil},
		{CodeSpace, "fail: the next backups do not fit: about 2.0 GB", "sandkeeper backups prune --keep 3", func(in *HostInput) {
			in.Need = func(context.Context) Need { return Need{Bytes: 2000e6, Sandboxes: 1, Unknown: 1} }
		}},
		{CodeSpace, "warn: the next backups may not fit", "sandkeeper backups prune --keep 3", func(in *HostInput) {
			in.Need = func(context.Context) Need { return Need{Bytes: 950e6, Sandboxes: 1} }
		}},
		{CodeSpace, "warn: the free space of", "", func(in *HostInput) { in.Free = func() (int64, error) { return 0, errors.New("no") } }},
		{CodeSpace, "skip: not evaluated: needs backup-root (fail)", "", func(in *HostInput) { in.RootErr = errors.New("a foreign link") }},

		{CodeOtherRun, "pass: none", "", nil},
		{CodeOtherRun, "warn: held by process 7", "", func(in *HostInput) { in.Holder = func() (string, bool) { return "held by process 7", true } }},
	} {
		in := host(t)
		if test.change != nil {
			test.change(&in)
		}
		r := hostResult(t, in, test.code)
		if got := fmt.Sprintf("%s: %s", r.Status, r.Detail); !strings.HasPrefix(got, test.want) || r.Fix != test.fix {
			t.Errorf("%s:\n got %s [%s]\nwant %s [%s]", test.code, got, r.Fix, test.want, test.fix)
		}
	}
}

func hostResult(t *testing.T, in HostInput, code string) Result {
	t.Helper()
	for _, r := range RunChecks(t.Context(), HostChecks(in), nil) {
		if r.Code == code {
			return r
		}
	}
	t.Fatalf("no check %q", code)
	return Result{}
}

func TestBackupRootCheckMakesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(*testing.T, *HostInput)
		want, fix string
	}{
		"as it should be": {func(*testing.T, *HostInput) {}, "pass: ", ""},
		"not there yet":   {func(_ *testing.T, in *HostInput) { in.Root = filepath.Join(in.Root, "new", "one") }, "pass: ", ""},
		"others write it": {func(t *testing.T, in *HostInput) { must(t, os.Chmod(in.Root, 0o720)) }, "fail: the backup folder", ""},
		"open to others":  {func(t *testing.T, in *HostInput) { must(t, os.Chmod(in.Root, 0o755)) }, "warn: others may look into the backup folder", "chmod 700 "},
		"a file": {func(t *testing.T, in *HostInput) {
			in.Root = filepath.Join(in.Root, "file")
			must(t, os.WriteFile(in.Root, nil, 0o600))
		}, "fail: ", ""},
		"of another user": {func(_ *testing.T, in *HostInput) { in.UID = os.Getuid() + 1 }, "warn: the backup folder", ""},
		"inside a sandbox": {func(t *testing.T, in *HostInput) {
			inside, err := filepath.EvalSymlinks(filepath.Dir(in.Root))
			must(t, err)
			in.Seen.Containers = []engine.Container{{Name: "c", Mounts: []engine.Mount{{Source: inside, Destination: "/work"}}}}
		}, "fail: the backup folder", ""},
		"a sibling of a mount": {func(_ *testing.T, in *HostInput) {
			in.Seen.Containers = []engine.Container{{Name: "c", Mounts: []engine.Mount{{Source: in.Root + "-2"}, {Source: ""}}}}
		}, "pass: ", ""},
		"read-only file system": {func(_ *testing.T, in *HostInput) { in.Root = "/proc/sys/backups" }, "fail: ", ""},
	} {
		in := host(t)
		test.change(t, &in)
		before, err := filepath.Glob(filepath.Dir(in.Root) + "/*")
		must(t, err)
		r := hostResult(t, in, CodeRoot)
		if got := fmt.Sprintf("%s: %s", r.Status, r.Detail); !strings.HasPrefix(got, test.want) || !strings.HasPrefix(r.Fix, test.fix) || test.fix == "" && r.Fix != "" {
			t.Errorf("%s: %s [%s], want %s [%s]", name, got, r.Fix, test.want, test.fix)
		}
		if after, _ := filepath.Glob(filepath.Dir(in.Root) + "/*"); len(after) != len(before) {
			t.Errorf("%s: the check made something: %v", name, after)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSkipsAreNamedAndTheGateIsNot(t *testing.T) {
	for code, want := range map[string]string{
		CodeSpace: "", "cli-version": "", CodeAgreement: "cannot be skipped", "disk": `there is no check "disk"; the checks that can be skipped are cli-version, `,
	} {
		err := CheckSkips([]string{code})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
	results := []Result{{Code: CodeSpace, Status: Fail, Detail: "full"}, {Code: CodeRoot, Status: Fail}, {Code: CodeAgreement, Status: Fail}, {Code: CodeNames, Status: Pass}}
	got := Demote(results, []string{CodeSpace, CodeAgreement, CodeNames})
	for i, want := range []Status{Warn, Fail, Fail, Pass} {
		if got[i].Status != want {
			t.Errorf("%s is %s, want %s", got[i].Code, got[i].Status, want)
		}
	}
	if got[0].Detail != "full (skipped by --skip-check)" || results[0].Status != Fail {
		t.Errorf("got %+v from %+v", got[0], results[0])
	}
}

func TestHostChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/checks.md")
	must(t, err)
	for _, code := range KnownChecks() {
		_, section, ok := strings.Cut(string(text), "\n## "+code+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, part := range []string{"Looks at", "Means", "Do"} {
			if !ok || !strings.Contains(section, "**"+part+"**") {
				t.Errorf("docs/checks.md has no %q for %q", part, code)
			}
		}
	}
}
