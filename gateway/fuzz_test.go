package gateway

import (
	"path/filepath"
	"strings"
	"testing"
)

func FuzzIdentify(f *testing.F) {
	f.Add("openshell-gateway[nemoclaw=nemoclaw-8091;port=8091]", "")
	f.Add("/usr/bin/openshell-gateway (deleted)\x00--port\x008080\x00--name=nemoclaw", "/usr/bin/openshell-gateway")
	f.Add("docker\x00run\x00-v\x00/a:/opt/nemoclaw/openshell-gateway:ro\x00/opt/nemoclaw/openshell-gateway", "")
	f.Add("openshell gateway start --name x", "")
	f.Add("'\x00\"\x00 ", "'")
	f.Fuzz(func(t *testing.T, line, gatewayBin string) {
		got := identify(strings.Split(line, "\x00"), gatewayBin)
		if got.shape == tagged && nemoclawName(got.port) != got.name {
			t.Errorf("identify(%q) = %+v, which is no canonical pair", line, got)
		}
		if got.source != "" && (got.shape != compat || !filepath.IsAbs(got.source)) {
			t.Errorf("identify(%q) = %+v, whose source cannot be", line, got)
		}
		if strings.HasPrefix(line, "vim ") && gatewayBin == "" && got.shape != notGateway {
			t.Errorf("identify(%q) takes an editor for a gateway", line)
		}
	})
}
