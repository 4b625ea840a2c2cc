package preflight

import (
	"time"

	"sandkeeper/drift"
	"sandkeeper/engine"
	"sandkeeper/gateway"
)

// decodeError is what the openshell CLI prints at 80 columns (NemoClaw issue 3399).
const decodeError = "Error:   × status: Internal, message: \"failed to decode Protobuf message:\n" +
	"  │ Sandbox.metadata: SandboxResponse.sandbox: invalid wire type value: 6\",\n  │ details: [], metadata: MetadataMap { headers: {} }\n"

// parsed is what the text says, a version or none.
func parsed(text string) drift.Version {
	v, _ := drift.Parse(text)
	return v
}

func known(v string) drift.Evidence { return drift.Evidence{State: drift.Known, Version: parsed(v)} }

// healthy is a host-process gateway of the CLI's version, everything seen.
func healthy() gateway.Observation {
	return gateway.Observation{
		Target:  gateway.Target{Name: "nemoclaw", Port: 8080, Endpoint: "http://127.0.0.1:8080", Source: "active_gateway"},
		CLI:     gateway.CLI{Evidence: known("0.0.44"), Path: "/home/op/.local/bin/openshell"},
		Engine:  engine.State{State: drift.Known, Host: "unix:///var/run/docker.sock", APIVersion: "1.51"},
		Process: drift.Process{Evidence: known("0.0.44"), Binary: "/home/op/.local/bin/openshell-gateway", PID: 4242},
		File:    drift.File{Evidence: known("0.0.44"), Path: "/home/op/.local/bin/openshell-gateway"},
		Marker:  gateway.Marker{Path: "/home/op/.local/state/nemoclaw/openshell-docker-gateway/runtime.json", State: gateway.MarkerLive, PID: 4242},
		Served: gateway.Served{
			Served: drift.Served{Evidence: known("0.0.44"), Endpoint: "http://127.0.0.1:8080"}, Answered: true, Status: "connected",
		},
		Probes: []gateway.Probe{{Code: "cli-version", State: drift.Known, Took: 12 * time.Millisecond}},
	}
}

// oldProcess still runs 0.0.43 although everything on disk is 0.0.44.
func oldProcess() gateway.Observation {
	o := healthy()
	o.Process.Evidence = known("0.0.43")
	o.Served.Evidence = known("0.0.43")
	return o
}

// oldFile has no live gateway and an old binary on disk.
func oldFile() gateway.Observation {
	o := healthy()
	o.Process, o.Served, o.Marker = drift.Process{}, gateway.Served{}, gateway.Marker{}
	o.File.Evidence = known("0.0.43")
	return o
}

// oldCluster serves from a patched 0.0.36 image.
func oldCluster() gateway.Observation {
	o := healthy()
	o.Process, o.Served = drift.Process{}, gateway.Served{}
	o.Cluster = gateway.Cluster{Running: true, Ports: []int{8080}, Cluster: drift.Cluster{
		Evidence: known("0.0.36"), Active: true,
		Container: "openshell-cluster-nemoclaw", Image: "nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487",
	}}
	return o
}

// oldRemote is on another host and answers with its own version.
func oldRemote() gateway.Observation {
	return gateway.Observation{
		Target: gateway.Target{Name: "prod", Port: 443, Endpoint: "https://gw.example", Source: "-g", Remote: true},
		CLI:    gateway.CLI{Evidence: known("0.0.110"), Path: "/usr/bin/openshell"},
		Served: gateway.Served{Served: drift.Served{Evidence: known("0.0.105"), Endpoint: "https://gw.example"}, Answered: true},
	}
}

// oldContainer serves from a container that somebody runs the gateway in.
func oldContainer(maker gateway.Maker) gateway.Observation {
	o := oldCluster()
	o.Cluster.Gateway, o.Cluster.Maker = true, maker
	o.Cluster.Container, o.Cluster.Image = "gw", "ghcr.io/nvidia/openshell/gateway:0.0.36"
	o.File = drift.File{}
	return o
}

func with(o gateway.Observation, changes ...func(*gateway.Observation)) gateway.Observation {
	for _, change := range changes {
		change(&o)
	}
	return o
}

// userRestart restarts the packages' unit, which holds the process.
const userRestart = "systemctl --user restart openshell-gateway"

func managed(o *gateway.Observation) {
	o.Host = gateway.Host{NemoClaw: "/usr/local/bin/nemoclaw", Managed: true, Restart: userRestart}
}

func containers(o *gateway.Observation) {
	o.Containers = []engine.Container{{ID: "f00", Name: "openshell-alpha-1", SandboxName: "alpha"}}
}

func binary(path string) func(*gateway.Observation) {
	return func(o *gateway.Observation) { o.Process.Binary, o.File.Path = path, path }
}

func packaged(o *gateway.Observation) {
	o.Host.Restart, o.Host.Start = userRestart, "systemctl --user start openshell-gateway"
	binary("/usr/bin/openshell-gateway")(o)
}

func brewed(o *gateway.Observation) {
	o.Host.Brew = "/opt/homebrew/bin/brew"
	binary("/opt/homebrew/bin/openshell-gateway")(o)
}

func snapped(o *gateway.Observation) {
	o.Host.Snap = true
	binary("/snap/openshell/12/bin/openshell-gateway")(o)
}

func installedIs(version string) func(*gateway.Observation) {
	return func(o *gateway.Observation) { o.CLI.Version = parsed(version) }
}

func onDisk(version string) func(*gateway.Observation) {
	return func(o *gateway.Observation) { o.File.Version = parsed(version) }
}

func noMarker(o *gateway.Observation) { o.Marker = gateway.Marker{State: gateway.MarkerAbsent} }

func chosen(name string) func(*gateway.Observation) {
	return func(o *gateway.Observation) { o.Target.Name, o.Target.Source = name, "-g" }
}

// situation is a host, and what is judged of it.
type situation struct {
	name   string
	report Report
	host   bool // its block is about a host process
}

// situations are all kinds of refusal on all kinds of hosts.
func situations() []situation {
	judged := func(name string, o gateway.Observation) situation {
		r := Judge(o, BackingUp())
		return situation{name, r, r.Issue.Kind == drift.HostProcessDrift}
	}
	mismatched := func(name string, o gateway.Observation) situation {
		r := JudgeMismatch(o, BackingUp(), decodeError)
		return situation{name, r, r.Issue.Drift == drift.HostProcessDrift}
	}
	return []situation{
		judged("host-restart-by-pid", oldProcess()),
		judged("host-restart-no-marker", with(oldProcess(), noMarker)),
		judged("host-managed", with(oldProcess(), managed, containers)),
		judged("host-managed-other-port", with(oldProcess(), managed, chosen("nemoclaw-8091"))),
		judged("host-systemd", with(oldProcess(), packaged, containers)),
		judged("host-systemd-installed-but-not-used", with(oldProcess(), func(o *gateway.Observation) { o.Host.Start = "systemctl --user start openshell-gateway" })),
		judged("host-brew", with(oldProcess(), brewed)),
		judged("host-snap", with(oldProcess(), snapped)),
		judged("host-both-old", with(oldProcess(), packaged, onDisk("0.0.43"))),
		judged("host-cli-behind", with(oldProcess(), packaged, installedIs("0.0.42"), onDisk("0.0.43"))),
		judged("host-cli-behind-managed", with(oldProcess(), managed, installedIs("0.0.37"), onDisk("0.0.43"))),
		judged("host-file", with(oldFile(), containers)),
		judged("host-file-systemd", with(oldFile(), packaged, func(o *gateway.Observation) { o.Process = drift.Process{} })),
		judged("host-file-process-unreadable", with(oldFile(), func(o *gateway.Observation) {
			o.Process = drift.Process{Evidence: drift.Evidence{State: drift.Unknown, Why: "belongs to user 1001"}, PID: 77}
		})),
		judged("host-across-0.1", with(oldProcess(), managed, containers, installedIs("0.1.2"), onDisk("0.1.2"))),
		judged("host-without-path", with(oldProcess(), binary(""), noMarker)),
		judged("image", with(oldCluster(), containers)),
		judged("image-managed", with(oldCluster(), managed)),
		judged("image-container", with(oldContainer(gateway.Maker{}), managed)),
		judged("image-compose", oldContainer(gateway.Maker{Compose: "gateway", Project: "lab", Files: "/srv/lab/compose.yaml"})),
		judged("image-podman-unit", oldContainer(gateway.Maker{Unit: "gw.service", UserRun: true, Podman: true})),
		judged("image-kind", oldContainer(gateway.Maker{Cluster: true})),
		judged("image-cli-behind", with(oldCluster(), installedIs("0.0.35"))),
		judged("served-remote", oldRemote()),
		judged("served-remote-across-0.1", with(oldRemote(), func(o *gateway.Observation) { o.Served.Version = parsed("0.1.9") })),
		judged("served-process-unseen", with(oldProcess(), noMarker, func(o *gateway.Observation) { o.Process = drift.Process{} })),
		judged("served-by-another-process", with(healthy(), func(o *gateway.Observation) { o.Served.Version = parsed("0.0.43") })),
		judged("served-by-cluster", with(oldCluster(), func(o *gateway.Observation) {
			o.Cluster.Evidence, o.Cluster.Image = drift.Evidence{}, "k3s:latest"
			o.Served = gateway.Served{Served: drift.Served{Evidence: known("0.0.36"), Endpoint: "http://127.0.0.1:8080"}}
		})),
		mismatched("mismatch-host", with(oldProcess(), packaged)),
		mismatched("mismatch-image", with(oldCluster(), managed)),
		mismatched("mismatch-served", oldRemote()),
		mismatched("mismatch-versions-agree", with(healthy(), containers)),
		mismatched("mismatch-unverified", with(oldFile(), managed, func(o *gateway.Observation) { o.File = drift.File{} })),
		mismatched("mismatch-nothing-known", gateway.Observation{}),
		{"unspecified-host", JudgeUnspecified(oldProcess(), Checking(), 12), true},
		{"unspecified-no-drift", JudgeUnspecified(healthy(), Checking(), 12), false},
	}
}
