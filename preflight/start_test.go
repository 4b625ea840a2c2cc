package preflight

import (
	"testing"

	"sandkeeper/gateway"
)

func TestStartCommand(t *testing.T) {
	for want, set := range map[string]func(*gateway.Observation){
		"nemoclaw onboard --resume": func(o *gateway.Observation) {
			o.Host = gateway.Host{Managed: true, NemoClaw: "/usr/bin/nemoclaw", CallNemoClaw: "nemoclaw", Start: "brew services start openshell"}
		},
		"NEMOCLAW_GATEWAY_PORT=8091 nemoclaw onboard --resume": func(o *gateway.Observation) {
			o.Target.Name, o.Host = "nemoclaw-8091", gateway.Host{Managed: true, NemoClaw: "/usr/bin/nemoclaw", CallNemoClaw: "nemoclaw"}
		},
		"sudo systemctl start openshell-gateway": func(o *gateway.Observation) { o.Host = gateway.Host{Start: "sudo systemctl start openshell-gateway"} },
		"":                                       func(o *gateway.Observation) { o.Host = gateway.Host{} },
	} {
		if got := StartCommand(with(healthy(), set)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for name, elsewhere := range map[string]func(*gateway.Observation){
		"remote": func(o *gateway.Observation) { o.Target.Remote = true }, "another user's": func(o *gateway.Observation) { o.Stranger = "user 7" },
		"behind a forward": func(o *gateway.Observation) { o.Port.Afar = "port 8080 is held by process 7 (ssh)" },
	} {
		o := with(healthy(), elsewhere)
		o.Host.Start = "sudo systemctl start openshell-gateway"
		if got := StartCommand(o); got != "" {
			t.Errorf("%s: got %q, want none", name, got)
		}
	}
}
