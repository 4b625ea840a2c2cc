package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sandkeeper/sandbox"
	"sandkeeper/test/e2e/gateway"
)

// gatewayCommand is `gateway NAME [KEY=VALUE…]` in a script: a gateway that answers the API, registered with the CLI until the script ends.
//
//	version=VERSION        0.0.110 where it is not said
//	sandbox=NAME           what it has, Ready, with the id id-NAME; also WORKSPACE/NAME
//	creates=PHASE:REASON   what becomes of a sandbox that is created there: Provisioning or Error
//	hangs=created          once a new sandbox was seen, it answers nobody until that is six seconds old
//	tls=mutual             it wants a client certificate, and the CLI has one
//
// The stand-in's openshell.json gets its address for the gateway of that name.
func gatewayCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: gateway NAME [KEY=VALUE…]")
	}
	server, backend := &gateway.Server{Version: "0.0.110"}, &moody{Memory: gateway.NewMemory()}
	var pki *gateway.PKI
	for _, arg := range args[1:] {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "version":
			server.Version = value
		case "sandbox":
			backend.has = append(backend.has, value)
		case "creates":
			backend.creates, backend.reason, _ = strings.Cut(value, ":")
		case "hangs":
			backend.hangs = true
		case "tls":
			pki = newPKI(ts, server)
		default:
			ts.Fatalf("unknown option %q", arg)
		}
	}
	backend.Memory, server.Backend = backend.memory(server.Version), backend
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	go func() { _ = server.Serve(ctx, l) }() // it ends with the script

	endpoint := register(ts, args[0], l.Addr(), pki)
	pointTo(ts, args[0], endpoint)
}

func newPKI(ts *testscript.TestScript, server *gateway.Server) *gateway.PKI {
	pki, err := gateway.NewPKI()
	ts.Check(err)
	server.TLS, err = pki.Server(tls.RequireAndVerifyClientCert)
	ts.Check(err)
	return pki
}

// pointTo gives the stand-in's gateway of that name an address.
func pointTo(ts *testscript.TestScript, name, endpoint string) {
	file := ts.MkAbs("openshell.json")
	var script map[string]any
	content, err := os.ReadFile(file)
	ts.Check(errors.Join(err, json.Unmarshal(content, &script)))
	for _, entry := range script["gateways"].([]any) {
		if of := entry.(map[string]any); of["name"] == name {
			of["endpoint"] = endpoint
		}
	}
	content, err = json.Marshal(script)
	ts.Check(errors.Join(err, os.WriteFile(file, content, 0o600)))
}

// register makes a gateway known to the CLI, as `openshell gateway add` does, and answers its endpoint.
func register(ts *testscript.TestScript, name string, at net.Addr, pki *gateway.PKI) (endpoint string) {
	scheme, auth := "http", "plaintext"
	files := map[string][]byte{}
	if pki != nil {
		scheme, auth = "https", "mtls"
		files = map[string][]byte{"mtls/ca.crt": pki.CA, "mtls/tls.crt": pki.ClientCert, "mtls/tls.key": pki.ClientKey}
	}
	endpoint = fmt.Sprintf("%s://%s", scheme, at)
	files["metadata.json"] = fmt.Appendf(nil, `{"name": %q, "gateway_endpoint": %q, "auth_mode": %q}`, name, endpoint, auth)
	for file, content := range files {
		path := filepath.Join(ts.Getenv("HOME"), ".config/openshell/gateways", name, file)
		ts.Check(errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)))
	}
	return endpoint
}

// moody keeps sandboxes in memory, and does with new ones what it was told.
type moody struct {
	*gateway.Memory
	has             []string
	creates, reason string
	hangs           bool
	looks           atomic.Int32 // since something was created
	created         time.Time
}

func (m *moody) memory(version string) *gateway.Memory {
	var there []gateway.Sandbox
	for _, name := range m.has {
		workspace, bare := sandbox.ParseAddress(name)
		s := gateway.Sandbox{Name: bare, Workspace: workspace, ID: "id-" + name, Image: "sandbox:1", Phase: gateway.Ready}
		s.Spec = s.NewSpec(version)
		there = append(there, s)
	}
	return gateway.NewMemory(there...)
}

// Create says at once what becomes of it.
func (m *moody) Create(ctx context.Context, s gateway.Sandbox) (gateway.Sandbox, error) {
	m.created = time.Now()
	m.looks.Store(1)
	s, err := m.Memory.Create(ctx, s)
	if err == nil && m.creates != "" {
		s, err = m.SetPhase(ctx, s.Key(), map[string]gateway.Phase{"Provisioning": gateway.Provisioning, "Error": gateway.Failed}[m.creates])
	}
	return s, err
}

// hangTime is how long it hangs after a creation.
const hangTime = 6 * time.Second

// List says why a new sandbox is as it is, or is answered late.
func (m *moody) List(ctx context.Context) ([]gateway.Sandbox, error) {
	if looks := m.looks.Load(); looks > 0 && m.looks.Add(1) > 2 && m.hangs {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(m.created.Add(hangTime))):
		}
	}
	all, err := m.Memory.List(ctx)
	for i := range all {
		if all[i].Phase != gateway.Ready {
			all[i].Reason, all[i].Message = m.reason, "said by the gateway"
		}
	}
	return all, err
}
