package survey

import (
	"errors"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/preflight"
	"sandkeeper/sandbox"
)

func judged(name string, verdict drift.Verdict) Gateway {
	return Gateway{Seen: gateway.Observation{Target: gateway.Target{Name: name}}, Report: preflight.Report{Gateway: name, Verdict: verdict}}
}

// TestTheWorstGatewayDecides: one that refuses ends a run of many, and one that is unverified ends it where that is not allowed.
func TestTheWorstGatewayDecides(t *testing.T) {
	pass, refuse, unverified := judged("a", drift.Pass), judged("b", drift.Refuse), judged("c", drift.Unverified)
	for _, c := range []struct {
		gateways Gateways
		allow    bool
		decides  string
		refused  bool
		doubted  bool
	}{
		{Gateways{pass}, false, "a", false, false},
		{Gateways{pass, unverified}, true, "c", false, false},
		{Gateways{pass, unverified}, false, "c", false, true},
		{Gateways{pass, unverified, refuse}, true, "b", true, false},
	} {
		if got := c.gateways.Decisive().Report.Gateway; got != c.decides {
			t.Errorf("%v: %s decides", c.gateways, got)
		}
		err := c.gateways.Gate(preflight.BackingUp(), c.allow)
		_, refused := errors.AsType[*RefusedError](err)
		_, doubted := errors.AsType[*UnverifiedError](err)
		if refused != c.refused || doubted != c.doubted || (err != nil) != (c.refused || c.doubted) {
			t.Errorf("%s, allowed %t: %v", c.decides, c.allow, err)
		}
	}
}

// TestBindings: -g limits a run to that gateway, whatever the registry has; otherwise each gateway of the registry is looked at once.
func TestBindings(t *testing.T) {
	r := sandbox.Registry{Rows: []sandbox.Row{
		{Name: "a", Gateway: "one"},
		{Name: "b", Gateway: "two", GatewayPort: 8082},
		{Name: "c", Gateway: "one"},
		{Name: "d", Gateway: "bad", BindingErr: errors.New("no port")},
	}}
	if got := (&Host{}).Bindings(r); len(got) != 2 || got[0].Gateway != "one" || got[1] != (sandbox.Binding{Gateway: "two", Port: 8082}) {
		t.Errorf("%+v", got)
	}
	if got := (&Host{Gateway: "x"}).Bindings(r); len(got) != 1 || got[0] != (sandbox.Binding{Gateway: "x"}) {
		t.Errorf("-g: %+v", got)
	}
	if got := (&Host{}).Bindings(sandbox.Registry{}); len(got) != 1 || got[0] != (sandbox.Binding{}) {
		t.Errorf("no registry: %+v", got)
	}
}
