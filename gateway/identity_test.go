package gateway

import (
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	docker := "docker run --rm --name nemoclaw-openshell-gateway-8091 --network host -v /home/ann/.local/bin/openshell-gateway:" +
		"/opt/nemoclaw/openshell-gateway:ro img /opt/nemoclaw/openshell-gateway"
	tests := []struct {
		name       string
		args       string // "|" parts arguments
		gatewayBin string
		want       identity
	}{
		{"nothing", "", "", identity{}},
		{"plain", "openshell-gateway", "", identity{shape: plain}},
		{"path", "/usr/bin/openshell-gateway|--port|8091|--name=nemoclaw-8091", "", identity{shape: plain, name: "nemoclaw-8091", port: 8091}},
		{"flag given twice counts as none", "openshell-gateway|--port|8091|--port=8080", "", identity{shape: plain}},
		{"flag without value", "openshell-gateway|--port", "", identity{shape: plain}},
		{"deleted", "/usr/bin/openshell-gateway (deleted)", "", identity{shape: plain}},
		{"quoted", `"/usr/bin/openshell-gateway"`, "", identity{shape: plain}},
		{"single quotes", `'/usr/bin/openshell-gateway'`, "", identity{shape: plain}},
		{"one string, as ps prints it", "/usr/bin/openshell-gateway --port 8091", "", identity{shape: plain, port: 8091}},
		{"path with a space", "/Users/a b/openshell-gateway|--port|1", "", identity{shape: plain, port: 1}},
		{"path with a space that the marker names", "/Users/a b/openshell-gateway", "/Users/a b/openshell-gateway", identity{shape: plain}},
		{"another name that the marker names", "/opt/og-0.0.44|--port|8080", "/opt/og-0.0.44", identity{shape: plain, port: 8080}},
		{"same path spelled otherwise", "/opt/./x/../og", "/opt/og", identity{shape: plain}},
		{"tagged", "openshell-gateway[nemoclaw=nemoclaw;port=8080]", "", identity{shape: tagged, name: "nemoclaw", port: 8080}},
		{"tagged with path", "/x/openshell-gateway[nemoclaw=nemoclaw-8091;port=8091]", "", identity{shape: tagged, name: "nemoclaw-8091", port: 8091}},
		{"tagged, pair does not belong together", "openshell-gateway[nemoclaw=nemoclaw;port=8091]", "", identity{}},
		{"tagged, nemoclaw-8080 is no name", "openshell-gateway[nemoclaw=nemoclaw-8080;port=8080]", "", identity{}},
		{"tagged, leading zero", "openshell-gateway[nemoclaw=nemoclaw-08091;port=08091]", "", identity{}},
		{"tagged, port out of range", "openshell-gateway[nemoclaw=nemoclaw-70000;port=70000]", "", identity{}},
		{"tagged, more behind", "openshell-gateway[nemoclaw=nemoclaw;port=8080]x", "", identity{}},
		{"tagged, torn", "openshell-gateway[nemoclaw=nemoclaw", "", identity{}},
		{"legacy", "/usr/bin/openclaw-gateway|--name|nemoclaw", "", identity{shape: legacy, name: "nemoclaw"}},
		{"gateway start", "openshell|gateway|start|--port=8080", "", identity{shape: legacy, port: 8080}},
		{"gateway list is none", "openshell|gateway|list", "", identity{}},
		{
			"compat", strings.ReplaceAll(docker, " ", "|"), "",
			identity{shape: compat, name: "nemoclaw-openshell-gateway-8091", source: "/home/ann/.local/bin/openshell-gateway"},
		},
		{
			"compat, one string", docker, "",
			identity{shape: compat, name: "nemoclaw-openshell-gateway-8091", source: "/home/ann/.local/bin/openshell-gateway"},
		},
		{
			"compat, mount as one flag", "/usr/bin/docker|run|--volume=/a/g:/opt/nemoclaw/openshell-gateway|/opt/nemoclaw/openshell-gateway", "",
			identity{shape: compat, source: "/a/g"},
		},
		{"docker with the path as part of a token only", "docker|run|-v|/a:/opt/nemoclaw/openshell-gateway:ro|img|sh", "", identity{}},
		{"podman is no compat parent", strings.ReplaceAll(docker[6:], " ", "|"), "", identity{}},
		{"podman", "podman|run|/opt/nemoclaw/openshell-gateway", "", identity{}},
		{"editor", "vim|/opt/x/openshell-gateway", "", identity{}},
		{"editor, one string", "vim /opt/x/openshell-gateway", "", identity{}},
		{"editor, with the marker's path", "vim|/opt/x/openshell-gateway", "/opt/x/openshell-gateway", identity{}},
		{"longer name", "/usr/bin/openshell-gateway-helper", "", identity{}},
		{"shorter name", "gateway", "", identity{}},
		{"folder of that name", "/openshell-gateway/sh", "", identity{}},
		{"shell that runs a script", "/bin/sh|/usr/bin/openshell-gateway", "", identity{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var args []string
			if test.args != "" {
				args = strings.Split(test.args, "|")
			}
			if got := identify(args, test.gatewayBin); got != test.want {
				t.Errorf("identify(%q) = %+v, want %+v", args, got, test.want)
			}
		})
	}
}

func TestFitsAndProves(t *testing.T) {
	eighty, ninety := Target{Name: "nemoclaw", Port: 8080}, Target{Name: "nemoclaw-8091", Port: 8091}
	tests := []struct {
		name         string
		target       Target
		id           identity
		fits, proves bool
	}{
		{"plain, no flags", eighty, identity{shape: plain}, true, false},
		{"plain, port", eighty, identity{shape: plain, port: 8080}, true, true},
		{"plain, other port", eighty, identity{shape: plain, port: 8091}, false, false},
		{"plain, name", ninety, identity{shape: plain, name: "nemoclaw-8091"}, true, true},
		{"plain, name is a beginning of ours", ninety, identity{shape: plain, name: "nemoclaw"}, false, false},
		{"plain, name right, port wrong", ninety, identity{shape: plain, name: "nemoclaw-8091", port: 8080}, false, false},
		{"tagged", ninety, identity{shape: tagged, name: "nemoclaw-8091", port: 8091}, true, true},
		{"tagged, other", ninety, identity{shape: tagged, name: "nemoclaw", port: 8080}, false, false},
		{"port of the target unknown", Target{Name: "x"}, identity{shape: plain, port: 8080}, true, false},
		{"compat, default", eighty, identity{shape: compat, name: "nemoclaw-openshell-gateway"}, true, true},
		{"compat, per port", ninety, identity{shape: compat, name: "nemoclaw-openshell-gateway-8091"}, true, true},
		{"compat, other port", eighty, identity{shape: compat, name: "nemoclaw-openshell-gateway-8091"}, false, false},
		{"compat, and the target is registered elsewhere", Target{Name: "nemoclaw", Port: 41000}, identity{shape: compat, name: "nemoclaw-openshell-gateway"}, false, false},
		{"compat, port unknown", Target{Name: "nemoclaw"}, identity{shape: compat, name: "nemoclaw-openshell-gateway"}, true, true},
		{"compat, unnamed", eighty, identity{shape: compat}, false, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.id.fits(test.target); got != test.fits {
				t.Errorf("fits = %v, want %v", got, test.fits)
			}
			if got := test.id.proves(test.target); got != test.proves {
				t.Errorf("proves = %v, want %v", got, test.proves)
			}
		})
	}
}
