package drift

import (
	"strings"
	"testing"
)

func TestImageVersion(t *testing.T) {
	for ref, want := range map[string]string{
		"ghcr.io/nvidia/openshell/cluster:0.0.37":                                      "0.0.37",
		"ghcr.io/nvidia/openshell/cluster:v0.0.37":                                     "0.0.37",
		"ghcr.io/nvidia/openshell/cluster:0.0.37@sha256:" + strings.Repeat("a", 64):    "0.0.37",
		"registry.local:5000/mirror/openshell/cluster:0.0.36":                          "0.0.36",
		"ghcr.io/nvidia/openshell/gateway:0.0.99":                                      "0.0.99",
		"ghcr.io/nvidia/openshell/supervisor:0.1.9":                                    "0.1.9",
		"nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487":                              "0.0.36",
		"localhost:5000/nemoclaw-cluster:0.0.36":                                       "0.0.36",
		"ghcr.io/nvidia/openshell/cluster:0.0.112-dev.3-gabcdef012":                    "0.0.112-dev.3+gabcdef012",
		"ghcr.io/nvidia/openshell/cluster:0.0.112-dev.3-gabcdef012-fuse-overlayfs-aa8": "0.0.112-dev.3+gabcdef012",
		"ghcr.io/nvidia/openshell/cluster:0.1.0-rc.1":                                  "0.1.0-rc.1",
		"ghcr.io/nvidia/openshell/cluster:0.0.36-devel":                                "0.0.36",
		"ghcr.io/nvidia/openshell/cluster:0.0.0":                                       "0.0.0",

		"":                                 "",
		"ghcr.io/nvidia/openshell/cluster": "",
		"ghcr.io/nvidia/openshell/cluster:latest":                            "",
		"ghcr.io/nvidia/openshell/cluster:dev":                               "",
		"ghcr.io/nvidia/openshell/cluster:0.0":                               "",
		"ghcr.io/nvidia/openshell/cluster:0.0.36.1":                          "",
		"ghcr.io/nvidia/openshell/cluster:10.0.0.36":                         "",
		"ghcr.io/nvidia/openshell/cluster@sha256:" + strings.Repeat("a", 64): "",
		"sha256:" + strings.Repeat("a", 64):                                  "",
		"registry.local:5000/openshell/cluster":                              "",
		"rancher/k3s:1.31.0":                                                 "",
		"my-nemoclaw-cluster:0.0.36":                                         "",
		"openshell/sandbox-from:1780391612":                                  "",
		"cluster:0.0.36":                                                     "",
		":0.0.36":                                                            "",
		"nemoclaw-cluster:0.0.36\x1b[31m":                                    "",
		"nemoclaw-cluster:0.0.36 ; reboot":                                   "",
		"nemoclaw-cluster:0.0.36-" + strings.Repeat("a", 1<<20):              "",
	} {
		if got, ok := ImageVersion(ref); got.String() != want || ok != (want != "") {
			t.Errorf("ImageVersion(%.80q) = %q, %v; want %q", ref, got, ok, want)
		}
	}
	if !parsed("0.0.112-dev.3+gabcdef012").Same(parsed("0.0.112-dev.3-gabcdef012")) {
		t.Error("the docker tag of a dev build is not the CLI's spelling of it")
	}
}

func FuzzImageVersion(f *testing.F) {
	f.Add("ghcr.io/nvidia/openshell/cluster:0.0.37")
	f.Add("registry.local:5000/nemoclaw-cluster:0.0.36-fuse-overlayfs-aa8b8487")
	f.Add("ghcr.io/nvidia/openshell/gateway:0.0.112-dev.3-gabcdef012@sha256:00")
	f.Add("://@:")
	f.Fuzz(func(t *testing.T, ref string) {
		version, ok := ImageVersion(ref)
		got := version.String()
		if ok != (got != "") {
			t.Fatalf("ImageVersion(%q) = %q, %v", ref, got, ok)
		}
		core, _, _ := strings.Cut(got, "-")
		core, _, _ = strings.Cut(core, "+")
		if !strings.Contains(ref, core) {
			t.Errorf("ImageVersion(%q) = %q, which the reference does not say", ref, got)
		}
		if again, same := Parse(got); ok && (!same || again != version) {
			t.Errorf("ImageVersion(%q) = %q, which is not canonical", ref, got)
		}
	})
}
