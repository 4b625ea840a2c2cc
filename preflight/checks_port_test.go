package preflight

import (
	"fmt"
	"strings"
	"testing"

	"sandkeeper/drift"
	"sandkeeper/gateway"
	"sandkeeper/openshell"
)

// silent is a gateway that is registered and does not answer, while others hold its port.
func silent(holders ...gateway.Holder) gateway.Observation {
	o := healthy()
	o.Process, o.Served, o.Marker = drift.Process{}, gateway.Served{Detail: "connection refused"}, gateway.Marker{State: gateway.MarkerAbsent}
	o.Port = gateway.Port{State: drift.Known, Number: 8080, Holders: holders}
	return o
}

func holder(pid int, program string, way gateway.Way) gateway.Holder {
	return gateway.Holder{Listener: gateway.Listener{PID: pid, UID: 1000, Port: 8080}, Program: program, Way: way}
}

// A port is only called wrong where no gateway answers and what holds it is known to be no way to one.
func TestPortCheck(t *testing.T) {
	web := holder(55, "webapp", gateway.WayItself)
	for _, test := range []struct {
		name, want string // want is "status kind: detail", or its beginning
		o          gateway.Observation
	}{
		{"a web server", "fail wrong_endpoint: port 8080 is held by process 55 (webapp), which is no OpenShell gateway; stop it", silent(web)},
		{"a gateway answers all the same", "warn : port 8080 is held by process 55 (webapp), and a gateway answers through it", with(silent(web), func(o *gateway.Observation) { o.Served = healthy().Served })},
		{"a proxy", "warn : port 8080 is held by process 55 (nginx)", silent(holder(55, "nginx", gateway.WayProxy))},
		{"an engine's proxy", "warn : port 8080 is held by process 55 (docker-proxy)", silent(holder(55, "docker-proxy", gateway.WayEngine))},
		{"a web server beside a proxy", "warn : port 8080 is held by process 55 (webapp) and process 56 (haproxy)", silent(web, holder(56, "haproxy", gateway.WayProxy))},
		{"a process that cannot be looked into", "warn : port 8080 is held by a process of user 1000 that", silent(holder(0, "", gateway.WayItself))},
		{"a process whose program cannot be seen", "warn : port 8080 is held by process 55", silent(holder(55, "", gateway.WayItself))},
		{"nobody asked the gateway", "warn : port 8080 is held by process 55 (webapp)", with(silent(web), func(o *gateway.Observation) { o.CLI = gateway.CLI{} })},
		{"a gateway of another schema answers", "warn : port 8080 is held by process 55 (webapp)", with(silent(web), func(o *gateway.Observation) {
			o.Served.Err = &openshell.MismatchError{Output: decodeError}
		})},
		{"a forward", "pass : port 8080 is held by process 55 (ssh), which passes on", with(silent(), func(o *gateway.Observation) {
			o.Port.Afar = "port 8080 is held by process 55 (ssh), which passes on what comes in"
		})},
		{"nobody", "pass : nothing on this host listens on port 8080", with(silent(), func(o *gateway.Observation) {
			o.Port.State, o.Port.Why = drift.Absent, "nothing on this host listens on port 8080"
		})},
		{"it cannot be seen", "warn : unknown (hidepid)", with(silent(), func(o *gateway.Observation) { o.Port.State, o.Port.Why = drift.Unknown, "hidepid" })},
		{"the gateway itself", "pass : process 4242, the gateway, listens on port 8080", with(healthy(), noMarker, func(o *gateway.Observation) {
			o.Port = gateway.Port{State: drift.Known, Number: 8080, Own: true}
		})},
		{"the gateway and another", "warn : port 8080 is held by the gateway's process and process 55 (webapp)", with(healthy(), func(o *gateway.Observation) {
			o.Port = gateway.Port{State: drift.Known, Number: 8080, Own: true, Holders: []gateway.Holder{web}}
		})},
		{"the marker's process does not listen", "warn : process 4242, which the runtime marker names, does not listen on port 8080; it is held by process 55 (webapp)", with(healthy(), func(o *gateway.Observation) {
			o.Port = gateway.Port{State: drift.Known, Number: 8080, Holders: []gateway.Holder{web}}
		})},
	} {
		r := resultOf(t, test.o, "endpoint-port")
		if got := fmt.Sprintf("%s %s: %s", r.Status, r.Kind, r.Detail); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}
