package preflight

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/openshell"
)

func TestJudgeVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		o       gateway.Observation
		verdict drift.Verdict
		kind    drift.Kind
	}{
		"agreement":                     {healthy(), drift.Pass, ""},
		"old process":                   {oldProcess(), drift.Refuse, drift.HostProcessDrift},
		"old file":                      {oldFile(), drift.Refuse, drift.HostProcessDrift},
		"old cluster":                   {oldCluster(), drift.Refuse, drift.ImageDrift},
		"remote":                        {oldRemote(), drift.Refuse, drift.ServedDrift},
		"nothing seen":                  {gateway.Observation{}, drift.Unverified, ""},
		"stopped cluster, old process":  {with(oldProcess(), stoppedCluster), drift.Refuse, drift.HostProcessDrift},
		"stopped cluster, all the same": {with(healthy(), stoppedCluster), drift.Pass, ""},
	} {
		r := Judge(test.o, BackingUp())
		kind := drift.Kind("")
		if r.Issue != nil {
			kind = r.Issue.Kind
		}
		if r.Verdict != test.verdict || kind != test.kind || r.Refused() != (test.verdict == drift.Refuse) {
			t.Errorf("%s: got %s %s, want %s %s", name, r.Verdict, kind, test.verdict, test.kind)
		}
		if (len(r.Recovery) > 0) != r.Refused() || (r.Doubt != "") != (r.Verdict == drift.Unverified) || len(r.Checks) != len(Checks(test.o)) {
			t.Errorf("%s: report is not whole: %+v", name, r)
		}
	}
}

func stoppedCluster(o *gateway.Observation) {
	o.Cluster = oldCluster().Cluster
	o.Cluster.Active, o.Cluster.Running = false, false
}

// TestReportJSON holds the keys of docs/design.md 4.2: lists are lists, never null, and foreign text is clean in data
// as well.
func TestReportJSON(t *testing.T) {
	o := with(oldProcess(), binary("/tmp/a\x1b[31mb\nopenshell-gateway"))
	r := Judge(o, BackingUp())
	r.Checks = nil // shown by TestChecks
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"verdict": "refuse"`, `"kind": "host_process_drift"`, `"source": "process"`, `"installed": "0.0.44"`, `"running": "0.0.43"`,
		`"pid": 4242`, `"image": ""`, `"container": ""`, `"endpoint": "http://127.0.0.1:8080"`, `"output": ""`, `"state": "live"`, `"warnings": []`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is not in:\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "u001b") || strings.Contains(r.Issue.Binary, "\n") {
		t.Errorf("control characters in data:\n%s", got)
	}
	pass, _ := json.Marshal(Judge(healthy(), BackingUp()))
	for _, want := range []string{`"issue":null`, `"recovery":[]`, `"warnings":[]`, `"checks":[{"code":"cli-version"`, `"tookMs":12`} {
		if !strings.Contains(string(pass), want) {
			t.Errorf("%s is not in %s", want, pass)
		}
	}
}

func TestJudgeMismatchRefusesWhateverTheEvidence(t *testing.T) {
	for name, o := range map[string]gateway.Observation{
		"agreement": healthy(), "nothing": {}, "old process": oldProcess(), "old cluster": oldCluster(), "remote": oldRemote(),
	} {
		r := JudgeMismatch(o, BackingUp(), decodeError)
		if !r.Refused() || r.Issue.Kind != drift.ProtobufMismatch || !strings.Contains(r.Issue.Output, "invalid wire type value: 6") || r.Doubt != "" {
			t.Errorf("%s: got %s %+v", name, r.Verdict, r.Issue)
		}
		var want drift.Finding
		if findings := drift.Assess(o.Evidence()).Findings; len(findings) > 0 {
			want = findings[0]
		}
		got := drift.Finding{
			Kind: r.Issue.Drift, Source: r.Issue.Source, Installed: r.Issue.Installed, Running: r.Issue.Running,
			Binary: r.Issue.Binary, PID: r.Issue.PID, Image: r.Issue.Image, Container: r.Issue.Container, Endpoint: r.Issue.Endpoint,
		}
		if want.Kind == "" {
			want.Installed = o.CLI.Version
		}
		if want.Endpoint == "" {
			want.Endpoint = o.Target.Endpoint
		}
		if got != want {
			t.Errorf("%s: drift that explains it: got %+v, want %+v", name, got, want)
		}
	}
}

func TestJudgeUnspecified(t *testing.T) {
	if r := JudgeUnspecified(oldProcess(), Checking(), 3); r.Issue.Kind != drift.HostProcessDrift || r.Issue.Output != "" {
		t.Errorf("with drift: got %+v, want that drift", r.Issue)
	}
	r := JudgeUnspecified(healthy(), Checking(), 3)
	if !r.Refused() || r.Issue.Kind != drift.ProtobufMismatch || r.Issue.Output != "all 3 sandboxes are in phase Unspecified" {
		t.Errorf("without drift: got %+v", r.Issue)
	}
}

// A status that cannot be decoded is a mismatch already, before any listing; a drift that was seen still outranks it.
func TestUndecodedStatusIsRefused(t *testing.T) {
	garbled := func(o *gateway.Observation) {
		o.Served = gateway.Served{Err: fmt.Errorf("status: %w", &openshell.MismatchError{Op: "status", Output: decodeError})}
	}
	r := Judge(with(healthy(), garbled), BackingUp())
	if !r.Refused() || r.Issue.Kind != drift.ProtobufMismatch || !strings.Contains(r.Issue.Output, "failed to decode Protobuf") {
		t.Errorf("got %s, %+v", r.Verdict, r.Issue)
	}
	for _, check := range r.Checks {
		if check.Code == "schema-agreement" && check.Status != Fail {
			t.Errorf("schema-agreement is %s: %s", check.Status, check.Detail)
		}
	}
	if r := Judge(with(oldProcess(), garbled), BackingUp()); r.Issue == nil || r.Issue.Kind != drift.HostProcessDrift {
		t.Errorf("with a drift: %+v", r.Issue)
	}
}
