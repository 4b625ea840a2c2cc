package docs

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sandkeeper/cmd"
	"sandkeeper/internal/env"
	"sandkeeper/internal/ui"
)

// TestShownCommandsAreUnderstood promises that every command that README, docs and the manual page show can be typed as it stands there:
// each is run, on a host with nothing on it, and may fail for want of a sandbox, but never because it is not understood.
func TestShownCommandsAreUnderstood(t *testing.T) {
	shown := map[string]string{} // by command line, where it stands
	for name, text := range textFiles(t, os.DirFS("../..")) {
		if path.Ext(name) == ".md" && name != "CHANGELOG.md" {
			for _, line := range shownCommands(text) {
				shown[line] = name
			}
		}
	}
	_, manual, _ := strings.Cut(run(t, "man").out, ".SH EXAMPLES\n")
	for _, line := range shownCommands("```\n" + strings.ReplaceAll(manual, `\-`, "-") + "\n```") {
		shown[line] = "the manual page"
	}
	if len(shown) < 30 {
		t.Fatalf("only %d commands were found", len(shown))
	}
	for line, where := range shown {
		t.Run(line, func(t *testing.T) {
			if told := misunderstood(t, line); told != "" {
				t.Errorf("%s shows `sandkeeper %s`: %s", where, line, told)
			}
		})
	}
}

// TestShortenedCommandsHaveTheirFlags promises the same of what pages say without the program's name, as in `restore --recreate`: arguments may be
// left out there, but commands and flags exist.
func TestShortenedCommandsHaveTheirFlags(t *testing.T) {
	short := regexp.MustCompile("`((?:preflight|backup-all|backups|restore|status|upgrade-sandboxes|migrate|gateway|extensions|schedule|diagnose|config|fleet) [a-z-][^`]*)`")
	found := 0
	for name, text := range textFiles(t, os.DirFS("../..")) {
		if path.Ext(name) != ".md" || name == "CHANGELOG.md" || strings.HasPrefix(name, "docs/facts/") {
			continue
		}
		for _, m := range short.FindAllStringSubmatch(text, -1) {
			found++
			if told := misunderstood(t, plain(m[1])); strings.HasPrefix(told, "unknown ") {
				t.Errorf("%s shows `%s`: %s", name, m[1], told)
			}
		}
	}
	if found < 30 {
		t.Fatalf("only %d were found", found)
	}
}

// TestMisunderstoodCommandsAreFound: the test above can fail.
func TestMisunderstoodCommandsAreFound(t *testing.T) {
	for _, line := range []string{"bakup-all", "backup-all --nosuch", "restore", "gateway wait --timeout soon", "backups list a b"} {
		if misunderstood(t, line) == "" {
			t.Errorf("%q passes for understood", line)
		}
	}
	got := shownCommands("Run `sandkeeper restore NAME --dry-run`, or\n```\nsandkeeper backups list | less   # all\n$ sandkeeper preflight > x\nnot sandkeeper man\n```\n")
	if want := []string{"backups list", "preflight", "restore alpha --dry-run"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// shownCommands are the command lines of a page without the program's name, sorted: those in code blocks and those in spans.
func shownCommands(page string) []string {
	blocks := regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")
	var found []string
	for _, block := range blocks.FindAllStringSubmatch(page, -1) {
		inBlock := regexp.MustCompile(`(?m)(?:^|&&|\| |do |- )\s*(?:\$ )?sandkeeper ([^\n]*)`)
		for _, m := range inBlock.FindAllStringSubmatch(block[2], -1) {
			found = append(found, plain(m[1]))
		}
	}
	span := regexp.MustCompile("`sandkeeper ([^`]*)`")
	for _, m := range span.FindAllStringSubmatch(blocks.ReplaceAllString(page, ""), -1) {
		found = append(found, plain(m[1]))
	}
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(line string) bool { return line == "" || strings.Contains(line, "COMMAND") })
}

// plain is what the shell would hand over: without comments, redirections and what follows in a pipe, and with names for placeholders.
func plain(line string) string {
	line = regexp.MustCompile(`\s*(?:#|\||>|<|&&|;|\d>|  ).*`).ReplaceAllString(line, "")
	line = strings.NewReplacer(`"`, "", "…", "", "[", "", "]", "").Replace(line)
	for placeholder, value := range map[string]string{
		`\bNAME\b`: "alpha", `\bID\b`: "20261121T101500Z-1f3a", `\bFILE\b`: "nothing.txt", `\bGATEWAY\b`: "nemoclaw", `\bSANDBOX\b`: "alpha", `\bEXTENSION\b`: "fleet-labels",
	} {
		line = regexp.MustCompile(placeholder).ReplaceAllString(line, value)
	}
	return strings.TrimSpace(line)
}

// misunderstood runs a command line and says why it was not understood; "" when it was, however it ended.
func misunderstood(t *testing.T, line string) string {
	t.Helper()
	args := strings.Fields(line)
	if strings.HasPrefix(line, "gateway wait") && !strings.Contains(line, "soon") {
		args = append(args, "--timeout", "1s")
	}
	got := run(t, append(args, "--json")...)
	var answer struct {
		Error *struct{ Kind, Message string } `json:"error"`
	}
	if got.code != cmd.ExitUsage || json.Unmarshal([]byte(got.out), &answer) != nil || answer.Error == nil {
		return ""
	}
	// What the host lacks is no fault of the line: a file to import, a key, somebody who answers a question.
	if regexp.MustCompile(`no such file|there is no folder|nobody|no terminal|age1|identity`).MatchString(answer.Error.Message) {
		return ""
	}
	return answer.Error.Message
}

type ran struct {
	code cmd.ExitCode
	out  string
}

// run is the program on a host with no engine, no gateway and no sandbox.
func run(t *testing.T, args ...string) ran {
	t.Helper()
	return runIn(t, t.TempDir(), nil, args...)
}

// runIn is the same with a home and with more variables.
func runIn(t *testing.T, home string, environment []string, args ...string) ran {
	t.Helper()
	var out bytes.Buffer
	t.Chdir(home) // what the line writes lies there
	code := cmd.Main(args, &ui.Streams{
		In: strings.NewReader("Error: database is locked"), Out: &out, Err: io.Discard, UID: os.Geteuid(),
		Env: env.Parse(append(environment,
			"HOME="+home, "PATH=/nowhere", "DOCKER_HOST=unix://"+home+"/none.sock", "SANDKEEPER_ENGINES=unix://"+home+"/none.sock",
		)),
	})
	return ran{code, out.String()}
}

// TestShownTargetsExist: what pages tell to make is in the Makefile, and what they name of the repository is there.
func TestShownTargetsExist(t *testing.T) {
	root := os.DirFS("../..")
	files := textFiles(t, root)
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllString(files["Makefile"], -1)
	shown := regexp.MustCompile("(?m)(?:`|^)(?:sudo )?make ([a-z0-9-]+)")
	paths := regexp.MustCompile("`((?:\\.ci|test|testdata|packaging|internal|docs|examples)/[\\w./-]*\\w)")
	for name, text := range files {
		if path.Ext(name) != ".md" || strings.HasPrefix(name, "docs/facts/") || name == "CHANGELOG.md" {
			continue
		}
		for _, m := range shown.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(targets, m[1]+":") {
				t.Errorf("%s: there is no `make %s`", name, m[1])
			}
		}
		for _, m := range paths.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat("../../" + m[1]); err != nil {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

// TestCIScriptsUnderHostedBash promises that the scripts of docs/ci.md do what the page says as hosted runners run them: bash -eo pipefail.
func TestCIScriptsUnderHostedBash(t *testing.T) {
	for _, tool := range []string{"bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: this machine lacks %s", tool)
		}
	}
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	check, summary, gitlab, gate := ciScripts(t, string(page))
	const document = `{"error": null, "result": {"totals": {"stale": 1}, "sandboxes": [{"name": "alpha", "state": "stale", "reasons": [{"code": "image", "current": "a", "expected": "b"}]}]}}`
	for _, tc := range []struct {
		name, script, document string
		exit, want             int    // of sandkeeper, of the script
		contains               string // GITHUB_OUTPUT, the summary, and what was printed
	}{
		{"GitHub check, current", check, document, 0, 0, "code=0"},
		{"GitHub check, stale", check, document, 4, 0, "code=4"},
		{"GitHub check, refused", check, document, 1, 1, "code=1"},
		{"GitHub check, unreachable", check, "", 5, 5, "code=5"},
		{"GitHub summary", "sandkeeper > check.json || true\n" + summary, document, 4, 0, "stale\talpha\timage a -> b"},
		{"GitHub summary, no document", summary, "", 1, 0, ""},
		{"GitHub summary, an error", "sandkeeper > check.json || true\n" + summary, `{"error": {"kind": "usage"}, "result": null}`, 2, 0, ""},
		{"GitLab, current", gitlab, document, 0, 0, `"stale": 1`},
		{"GitLab, stale", gitlab, document, 4, 4, `"stale": 1`},
		{"GitLab, refused", gitlab, `{"error": {"kind": "image_drift"}, "result": null}`, 1, 1, "image_drift"},
		{"gate, current", gate, document, 0, 0, ""},
		{"gate, stale", gate, document, 4, 0, "called backup-all\ncalled upgrade-sandboxes"},
		{"gate, refused", gate, document, 1, 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, said := hosted(t, tc.script, tc.document, tc.exit)
			if code != tc.want || !strings.Contains(said, tc.contains) {
				t.Errorf("exit %d, want %d; %q does not contain %q", code, tc.want, said, tc.contains)
			}
			if tc.name == "gate, refused" && strings.Contains(said, "called") {
				t.Errorf("after a refusal: %s", said)
			}
		})
	}
}

// ciScripts takes the scripts out of the page: two steps for GitHub, the lines for GitLab, and the gate.
func ciScripts(t *testing.T, page string) (check, summary, gitlab, gate string) {
	t.Helper()
	steps := regexp.MustCompile(`(?m)^        run: \|\n((?:          .*\n)+)`).FindAllStringSubmatch(page, -1)
	lines := regexp.MustCompile(`(?m)^  script:\n((?:    - .*\n)+)`).FindStringSubmatch(page)
	blocks := regexp.MustCompile("(?s)```\n(sandkeeper.*?|code=0\n.*?)```").FindAllStringSubmatch(page, -1)
	if len(steps) != 2 || lines == nil || len(blocks) < 2 {
		t.Fatalf("%d steps, %d blocks: the page has changed its shape", len(steps), len(blocks))
	}
	dedent := func(text, indent string) string { return strings.ReplaceAll("\n"+text, "\n"+indent, "\n") }
	return dedent(steps[0][1], "          "), dedent(steps[1][1], "          "), dedent(lines[1], "    - "), blocks[len(blocks)-1][1]
}

// hosted runs a script as hosted runners do, with a sandkeeper that answers --check with this document and exit code and does what else
// it is asked for.
func hosted(t *testing.T, script, document string, exit int) (code int, said string) {
	t.Helper()
	dir := t.TempDir()
	program := "#!/bin/sh\ncase \"$*\" in\nbackup-all*|*--auto*) echo \"called $1\" >>called; exit 0 ;;\nesac\ncat document\nexit $CODE\n"
	for name, text := range map[string]string{"sandkeeper": program, "document": document, "script": script, "called": "", "output": "", "summary": ""} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o700); err != nil { //nolint:gosec // a program must be executable
			t.Fatal(err)
		}
	}
	bash := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "script")
	bash.Dir = dir
	bash.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CODE="+string(rune('0'+exit)), "GITHUB_OUTPUT=output", "GITHUB_STEP_SUMMARY=summary")
	printed, _ := bash.CombinedOutput() // the exit code is looked at
	for _, name := range []string{"output", "summary", "called"} {
		text, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, text...)
	}
	return bash.ProcessState.ExitCode(), string(printed)
}
