package gateway

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/internal/command"
	"sandkeeper/openshell"
)

// scripted is a CLI whose calls are answered in text by the key that they contain; any other call exits with 2. It notes what was asked.
func scripted(answers map[string]string) (cli *openshell.CLI, asked func() []string) {
	var calls []string
	var asking sync.Mutex // two ways to ask may be tried at once
	answer := func(_ context.Context, c command.Command) (command.Result, error) {
		call := strings.Join(c.Args, " ")
		asking.Lock()
		calls = append(calls, call)
		asking.Unlock()
		for key, text := range answers {
			if strings.Contains(call, key) && !strings.Contains(call, "json") {
				return command.Result{Stdout: []byte(text)}, nil
			}
		}
		return command.Result{Exit: 2, Stderr: []byte("error: unexpected argument")}, nil
	}
	asked = func() []string {
		asking.Lock()
		defer asking.Unlock()
		return slices.Clone(calls)
	}
	return &openshell.CLI{Path: "openshell", Run: answer}, asked
}

const (
	infoOf8091 = "Gateway Info\n\n  Gateway: nemoclaw-8091\n  Gateway endpoint: http://127.0.0.1:8091\n"
	listOf8091 = "  NAME           ENDPOINT               TYPE   AUTH\n* other          http://127.0.0.1:9000  local  none\n  nemoclaw-8091  http://127.0.0.1:8091  local  none\n"
)

// The first source that names the port of this very gateway decides; what speaks of another gateway is passed over.
func TestEndpointPortOfEverySource(t *testing.T) {
	for name, tc := range map[string]struct {
		target  Target
		server  string
		answers map[string]string
		want    int
		calls   int // at the most, and 0 means that nobody is asked
	}{
		"registered":                  {Target{Name: "nemoclaw-8091", Endpoint: "http://127.0.0.1:7000", Port: 7000}, "http://127.0.0.1:8000", nil, 7000, 0},
		"the status":                  {Target{Name: "nemoclaw-8091", Port: 8091}, "http://127.0.0.1:8000", nil, 8000, 0},
		"a status without a port":     {Target{Name: "nemoclaw-8091"}, "https://h", nil, 443, 0},
		"info":                        {Target{Name: "nemoclaw-8091"}, "", map[string]string{"gateway info": infoOf8091}, 8091, 2},
		"info of another, then list":  {Target{Name: "nemoclaw-8091"}, "", map[string]string{"gateway info": strings.ReplaceAll(infoOf8091, "8091", "9999"), "gateway list": listOf8091, "gateway select": listOf8091}, 8091, 8},
		"list":                        {Target{Name: "nemoclaw-8091"}, "", map[string]string{"gateway list": listOf8091, "gateway select": listOf8091}, 8091, 8},
		"a list without it":           {Target{Name: "nemoclaw"}, "", map[string]string{"gateway list": listOf8091, "gateway select": listOf8091}, 0, 8},
		"a CLI that knows none of it": {Target{Name: "nemoclaw"}, "", nil, 0, 8},
	} {
		cli, asked := scripted(tc.answers)
		got := endpointPort(t.Context(), tc.target, cli, servedAnswer{Status: openshell.Status{Server: tc.server}})
		if got != tc.want || len(asked()) > tc.calls {
			t.Errorf("%s: port %d, want %d; asked %q", name, got, tc.want, asked())
		}
	}
}

func TestListensAt(t *testing.T) {
	for want, target := range map[string]Target{
		"127.0.0.1:8080": {Port: 8080},
		"10.0.0.7:7000":  {Endpoint: "http://10.0.0.7:7000", Port: 8080},
		"h:8080":         {Endpoint: "https://h", Port: 8080},
		"h:443":          {Endpoint: "https://h/"},
		"h:80":           {Endpoint: "http://h"},
		"[::1]:17670":    {Endpoint: "http://[::1]:17670"},
		"127.0.0.1:9":    {Endpoint: "\x00", Port: 9},
	} {
		if got := listensAt(target); got != want {
			t.Errorf("listensAt(%+v) = %q, want %q", target, got, want)
		}
	}
}

// A leftover is described as one: that a container exists never reads as if it served.
func TestDescribeCluster(t *testing.T) {
	of := func(image, why string, active bool) Cluster {
		c := Cluster{Cluster: drift.Cluster{Evidence: drift.Evidence{Why: why}, Active: active}}
		c.Container, c.Image = "openshell-cluster-g", image
		return c
	}
	for want, c := range map[string]Cluster{
		"no container openshell-cluster-g on unix:///s":                               of("", "no container openshell-cluster-g on unix:///s", false),
		"openshell-cluster-g exists (image c:0.0.36) but does not serve this gateway": of("c:0.0.36", "", false),
		"openshell-cluster-g serves from image c:0.0.36":                              of("c:0.0.36", "", true),
	} {
		if got := describeCluster(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
