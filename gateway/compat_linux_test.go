package gateway

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/drift"
)

func TestCompatContainersVersionIsThatOfTheMountedFile(t *testing.T) {
	o, home, dir := hostWith(t, 8097) // tests of other packages look at this process table too, for the usual port
	docker, source := filepath.Join(home, "bin/docker"), filepath.Join(home, "lib", gatewayProgram)
	install(t, docker, "26.1.5")
	install(t, source, "0.0.37")
	time.Sleep(1500 * time.Millisecond) // a change within the second after the start is not told from one before
	parent := launch(t, docker, "", "docker", "run", "--rm", "--name", "nemoclaw-openshell-gateway-8097", "--network", "host",
		"-v", source+":/opt/nemoclaw/openshell-gateway:ro", "image", "/opt/nemoclaw/openshell-gateway")
	mark(t, dir, parent.Process.Pid, "", time.Now())

	marker, got := seen(t, o)
	if marker.State != MarkerLive || got.Version.String() != "0.0.37" || got.Binary != source {
		t.Errorf("marker %s (%s), process %+v; want live, 0.0.37 of the mounted file", marker.State, marker.Reason, got)
	}
	time.Sleep(2500 * time.Millisecond) // the second of the start may be told a second late
	install(t, source, "0.0.44")
	if _, got := seen(t, o); got.State != drift.Unknown || !strings.Contains(got.Why, "was replaced") {
		t.Errorf("process %+v after the mounted file was replaced, want unknown", got)
	}
}
