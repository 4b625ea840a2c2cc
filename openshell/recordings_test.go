package openshell

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sandkeeper/internal/command"
	"sandkeeper/internal/text"
	"sandkeeper/openshell/wire"
)

// recordings is what real openshell CLIs printed against a gateway that speaks each wire generation (test/e2e).
const recordings = "../test/e2e/testdata/real"

// recording is one CLI against one gateway.
type recording struct {
	cli, gateway string
	parts        map[string]string // "sandbox-list.stdout" → text
}

func readRecordings(t *testing.T) []recording {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(recordings, "cli-*", "gateway-*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings in %s (%v)", recordings, err)
	}
	var all []recording
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r := recording{
			cli:     strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "cli-"),
			gateway: strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "gateway-"), ".txtar"),
			parts:   map[string]string{},
		}
		for _, f := range txtar.Parse(content).Files {
			r.parts[f.Name] = string(f.Data)
		}
		all = append(all, r)
	}
	return all
}

// CLI is a stand-in that answers as recorded.
func (r recording) CLI() *CLI {
	return &CLI{Path: "/recorded/openshell", Run: func(_ context.Context, c command.Command) (command.Result, error) {
		call := strings.Join(c.Args, " ")
		for _, noise := range []string{" -g nemoclaw", " --limit 100 --offset 0"} {
			call = strings.ReplaceAll(call, noise, "")
		}
		if wire.VersionOf(r.cli).Since(88) {
			call = strings.ReplaceAll(call, " --all-workspaces", "") // there is one workspace in the recordings
		} else if strings.Contains(call, "--all-workspaces") && !strings.Contains(call, "-o json") {
			return usage("--all-workspaces"), nil
		}
		name := map[string]string{
			"status": "status", "status -o json": "status-json", "gateway info": "gateway-info-named",
			"gateway list": "gateway-list", "gateway list -o json": "gateway-list-json",
			"sandbox list": "sandbox-list", "sandbox list -o json": "sandbox-list-json",
		}[call]
		if strings.HasPrefix(call, "sandbox exec") {
			name = "sandbox-exec"
		}
		if strings.HasSuffix(call, "-o json --all-workspaces") && r.parts["sandbox-list-json.exit"] != "" {
			return usage("--all-workspaces"), nil
		}
		if _, ok := r.parts[name+".exit"]; !ok {
			return command.Result{Exit: 2, Stderr: []byte("error: unexpected argument '-o' found\n")}, nil
		}
		exit, err := strconv.Atoi(strings.TrimSpace(r.parts[name+".exit"]))
		return command.Result{Exit: exit, Stdout: []byte(r.parts[name+".stdout"]), Stderr: []byte(r.parts[name+".stderr"])}, err
	}}
}

func each(t *testing.T, test func(t *testing.T, r recording)) {
	for _, r := range readRecordings(t) {
		t.Run("cli-"+r.cli+"/gateway-"+r.gateway, func(t *testing.T) { test(t, r) })
	}
}

func TestRecordedStatus(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		status, err := r.CLI().Status(t.Context(), "nemoclaw")
		switch {
		case r.gateway == "none":
			if err != nil || status.Status != "not_configured" || status.Connected() {
				t.Errorf("got %+v, %v; want not_configured", status, err)
			}
		case r.gateway == "down":
			if failure, ok := errors.AsType[*ListingError](err); !ok || !failure.Unreachable || failure.NotRegistered {
				t.Errorf("got %+v, %v; want unreachable", status, err)
			}
		default:
			if err != nil || !status.Connected() || status.Gateway != "nemoclaw" || status.Endpoint != "http://127.0.0.1:17670" {
				t.Errorf("got %+v, %v; want connected", status, err)
			}
			if want := served(r); status.Version != want {
				t.Errorf("got version %q, want %q", status.Version, want)
			}
		}
	})
}

// served is the version that the recorded gateway reports, by the plainest reading of the recording.
func served(r recording) string {
	_, version, _ := strings.Cut(text.StripANSI(r.parts["status.stdout"]), "Version: ")
	return strings.TrimSpace(version)
}

func TestRecordedSandboxes(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		list, err := r.CLI().Sandboxes(t.Context(), "nemoclaw")
		said := r.parts["sandbox-list.stderr"]
		switch {
		case strings.Contains(said, "decode"):
			if _, ok := errors.AsType[*MismatchError](err); !ok || list != nil {
				t.Errorf("got %v, %v; want a mismatch", list, err)
			}
		case r.gateway == "none" || r.gateway == "down":
			failure, ok := errors.AsType[*ListingError](err)
			if !ok || failure.NotRegistered != (r.gateway == "none") || failure.Unreachable != (r.gateway == "down") {
				t.Errorf("got %v, %#v; want a listing error", list, err)
			}
		case said == "":
			if err != nil || list == nil {
				t.Fatalf("got %v, %v; want a list", list, err)
			}
			if diff := cmp.Diff(strings.Fields(r.parts["sandbox-list-names.stdout"]), names(list)); diff != "" {
				t.Errorf("names (-recorded +read):\n%s", diff)
			}
		default:
			if _, ok := errors.AsType[*ListingError](err); !ok {
				t.Errorf("got %v, %v; want a listing error for %q", list, err, said)
			}
		}
	})
}

func names(list []ListedSandbox) []string {
	all := []string{}
	for _, s := range list {
		all = append(all, s.Name)
	}
	return all
}

// The table and the JSON of one listing say the same, as far as the table goes.
func TestRecordedTableAgreesWithJSON(t *testing.T) {
	compared := 0
	each(t, func(t *testing.T, r recording) {
		if r.parts["sandbox-list.exit"] != "0\n" || r.parts["sandbox-list-json.exit"] != "0\n" {
			return
		}
		table, err := rowsOf(r.parts["sandbox-list.stdout"])
		if err != nil {
			t.Fatal(err)
		}
		list, err := rowsOf(r.parts["sandbox-list-json.stdout"])
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			list[i].ID, list[i].Labels, list[i].Workspace = "", nil, ""
		}
		if diff := cmp.Diff(list, table); diff != "" {
			t.Errorf("(-JSON +table):\n%s", diff)
		}
		compared += len(table)
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func TestRecordedGateways(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		list, err := r.CLI().Gateways(t.Context())
		switch {
		case r.parts["gateway-list.exit"] == "2\n":
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("got %v, %v; want %v", list, err, ErrUnsupported)
			}
		case r.gateway == "none":
			if err != nil || list == nil || len(list) != 0 {
				t.Errorf("got %v, %v; want an empty list", list, err)
			}
		default:
			if err != nil || len(list) != 1 || list[0].Name != "nemoclaw" || !list[0].Active || list[0].Port == 0 || list[0].Remote {
				t.Errorf("got %+v, %v; want the active gateway", list, err)
			}
			table, err := ParseGateways(r.parts["gateway-list.stdout"])
			if diff := cmp.Diff(list, table); diff != "" || err != nil {
				t.Errorf("%v (-JSON +table):\n%s", err, diff)
			}
		}
	})
}

func TestRecordedGatewayInfo(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		info, err := r.CLI().GatewayInfo(t.Context(), "nemoclaw")
		failure, _ := errors.AsType[*ListingError](err)
		said := r.parts["gateway-info-named.stderr"]
		switch {
		case strings.Contains(said, "not supported by this gateway version"):
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("got %+v, %v; want %v", info, err, ErrUnsupported)
			}
		case r.gateway == "none":
			if failure == nil || !failure.NotRegistered {
				t.Errorf("got %+v, %v; want not registered", info, err)
			}
		case strings.Contains(said, "Connection refused"):
			if failure == nil || !failure.Unreachable {
				t.Errorf("got %+v, %v; want unreachable", info, err)
			}
		case said == "":
			if err != nil || info.Name != "nemoclaw" || info.Port == 0 {
				t.Errorf("got %+v, %v; want the registration", info, err)
			}
		}
	})
}

func TestRecordedExecFailsAsTransport(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		result, err := r.CLI().Exec(t.Context(), ExecRequest{Gateway: "nemoclaw", Name: "alpha", Argv: []string{"true"}})
		if err == nil {
			t.Fatalf("got %+v for %q; want an error", result, r.parts["sandbox-exec.stderr"])
		}
		_, mismatch := errors.AsType[*MismatchError](err)
		if want := strings.Contains(r.parts["sandbox-exec.stderr"], "decode"); mismatch != want {
			t.Errorf("mismatch is %v, want %v: %v", mismatch, want, err)
		}
	})
}

// Every recorded complaint: a decode failure is one in every rendering, and no other complaint is taken for one.
func TestRecordedDecodeFailures(t *testing.T) {
	each(t, func(t *testing.T, r recording) {
		for name, text := range r.parts {
			if !strings.HasSuffix(name, ".stderr") && !strings.HasSuffix(name, ".stdout") {
				continue
			}
			plain := strings.Join(strings.Fields(strings.ReplaceAll(text, "│", " ")), " ")
			if got, want := DecodeFailure(text), strings.Contains(plain, "failed to decode Protobuf message"); got != want {
				t.Errorf("%s: got %v, want %v: %q", name, got, want, text)
			}
		}
	})
}

func TestRecordingsCoverTheGenerations(t *testing.T) {
	var clis []string
	for _, r := range readRecordings(t) {
		clis = append(clis, r.cli)
	}
	for _, want := range []string{"0.0.36", "0.0.37", "0.0.44", "0.0.92", "0.0.110"} {
		if !slices.Contains(clis, want) {
			t.Errorf("no recording of openshell %s", want)
		}
	}
}
