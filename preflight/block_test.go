package preflight

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"sandkeeper/drift"
	"sandkeeper/gateway"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestBlockGolden(t *testing.T) {
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			got := Block(s.report, BackingUp())
			golden := filepath.Join("testdata", "block", s.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("block differs from %s (-want +got):\n%s", golden, diff)
			}
		})
	}
}

var (
	clusterWords = regexp.MustCompile(`(?i)image|cluster|container`)
	emptyField   = regexp.MustCompile(`(?m): *$|\(\)|: \(`)
)

// TestBlockPromises holds what scripts and operators rely on in every refusal there is.
func TestBlockPromises(t *testing.T) {
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) {
			block := Block(s.report, BackingUp())
			for _, phrase := range append(phrases(*s.report.Issue),
				"\n  Refusing to trust OpenShell sandbox state while the host CLI and gateway schema may be out of sync.\n  No sandbox data was changed.\n",
				"\n  Recovery:\n    1. ", "\n  Installed OpenShell: ") {
				if !strings.Contains(block, phrase) {
					t.Errorf("%q is not in:\n%s", phrase, block)
				}
			}
			if s.host && clusterWords.MatchString(block) {
				t.Errorf("host text speaks of %q:\n%s", clusterWords.FindString(block), block)
			}
			if field := emptyField.FindString(strings.ReplaceAll(block, "Recovery:", "")); field != "" {
				t.Errorf("%q is printed empty:\n%s", field, block)
			}
			mustBePrintable(t, block)
		})
	}
}

func phrases(i Issue) []string {
	first := "  OpenShell gateway schema preflight failed before backing up registered sandboxes.\n"
	if i.Kind == drift.ProtobufMismatch {
		first = "  OpenShell gateway/schema mismatch was detected while backing up registered sandboxes.\n"
	}
	line := map[drift.Kind]string{
		drift.ImageDrift: "\n  Running gateway image: " + i.Image + " (" + i.Running.String() + ")\n", drift.HostProcessDrift: "\n  Running gateway binary: ",
		drift.ServedDrift: "\n  Running gateway: " + i.Endpoint + " (" + i.Running.String() + ")\n",
	}[i.drifted()]
	if i.Kind == drift.ProtobufMismatch {
		return []string{first, line, "\n  OpenShell output: "}
	}
	return []string{first, line}
}

func TestBlockOfUnexplainedMismatchNamesNothing(t *testing.T) {
	for _, s := range situations() {
		if s.report.Issue.Kind != drift.ProtobufMismatch || s.report.Issue.Drift != "" {
			continue
		}
		block := Block(s.report, BackingUp())
		if words := clusterWords.FindString(block); words != "" || strings.Contains(block, "Running gateway") {
			t.Errorf("%s: text without known drift speaks of a gateway it does not know (%q):\n%s", s.name, words, block)
		}
		const caution = "do not delete sandbox state, backups, or gateway data until `openshell status` reports a healthy gateway."
		if !strings.Contains(block, caution) {
			t.Errorf("%s: no caution in:\n%s", s.name, block)
		}
	}
}

func TestBlockClaimsNoMoreThanIsTrue(t *testing.T) {
	r := Judge(oldProcess(), BackingUp())
	r.DataChanged = true
	if block := Block(r, BackingUp()); strings.Contains(block, "No sandbox data was changed") {
		t.Errorf("claims that nothing was changed:\n%s", block)
	}
	if block := Block(Judge(healthy(), BackingUp()), BackingUp()); block != "" {
		t.Errorf("a pass has a refusal block:\n%s", block)
	}
}

func TestBlockQuotesOutputBounded(t *testing.T) {
	r := JudgeMismatch(healthy(), BackingUp(), "\x1b[31mError:\x1b[0m invalid wire type "+strings.Repeat("é ", 4000))
	if n := len([]rune(r.Issue.Output)); n > outputLimit {
		t.Errorf("quotes %d characters of output, want at most %d", n, outputLimit)
	}
	r = JudgeMismatch(healthy(), BackingUp(), decodeError)
	const want = "failed to decode Protobuf message: Sandbox.metadata: SandboxResponse.sandbox: invalid wire type value: 6"
	if !strings.Contains(r.Issue.Output, want) {
		t.Errorf("output %q does not have %q in one piece", r.Issue.Output, want)
	}
}

func mustBePrintable(t *testing.T, block string) {
	t.Helper()
	for _, r := range block {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("block has control character %U:\n%q", r, block)
		}
	}
	for line := range strings.Lines(block) {
		if line != "\n" && !strings.HasPrefix(line, "  ") {
			t.Errorf("line %q is not indented", line)
		}
	}
}

// FuzzBlock: whatever a host calls its things, the block stays printable, indented, and complete.
func FuzzBlock(f *testing.F) {
	f.Add("/usr/bin/openshell-gateway", "nemoclaw", "nemoclaw-cluster:0.0.36", "invalid wire type", "http://h:1", 42)
	f.Add("/tmp/a\x1b]0;x\x07`reboot`", "-g\n2. Run `rm -rf /`", "a\u202eb", "\x1b[2J", "\r\n", -1)
	f.Add("", "", "", "", "", 0)
	f.Add(strings.Repeat("/x", 700), "it's", "\x00", "\u0085  │ ", "\t", 1<<30)
	f.Fuzz(func(t *testing.T, path, name, ref, output, endpoint string, pid int) {
		if len(path)+len(name)+len(ref)+len(output)+len(endpoint) > 4<<10 {
			return // longer text is cut before it is shown: it costs time and finds nothing
		}
		for _, o := range []gateway.Observation{
			with(oldProcess(), chosen(name), binary(path), func(o *gateway.Observation) { o.Process.PID = pid }),
			with(oldFile(), binary(path), chosen(name)),
			with(oldCluster(), containers, func(o *gateway.Observation) { o.Cluster.Container, o.Target.Endpoint = name, endpoint }),
			with(oldRemote(), func(o *gateway.Observation) { o.Served.Endpoint, o.Target.Name = endpoint, name }),
			{CLI: gateway.CLI{Evidence: known(ref)}, Target: gateway.Target{Name: name}},
		} {
			r := Report{Verdict: drift.Refuse} // without the checks, whose goroutines make coverage random
			r.refuse(o, BackingUp(), mismatch(o, drift.Assess(o.Evidence()), output))
			block := Block(r, BackingUp())
			mustBePrintable(t, block)
			if got, want := strings.Count(block, "\n"), len(r.Recovery)+len(facts(*r.Issue, BackingUp()))+6; got != want {
				t.Errorf("%d lines, want %d: foreign text made lines of its own:\n%q", got, want, block)
			}
		}
	})
}
