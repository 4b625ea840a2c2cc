package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/docker/docker/api/types/container"

	"sandkeeper/internal/buckettest"
	"sandkeeper/test/e2e/gateway"
)

// offHost gives a host a bucket and the settings of its nightly run. The identity is a file with the private key.
func (h *recreateHost) offHost(server *buckettest.Server, key *age.X25519Identity, name string) (identity string) {
	h.t.Helper()
	h.env = append(h.env, "AWS_ENDPOINT_URL="+server.Endpoint, "AWS_ACCESS_KEY_ID="+buckettest.Access, "AWS_SECRET_ACCESS_KEY="+buckettest.Secret, "AWS_EC2_METADATA_DISABLED=true")
	settings := filepath.Join(h.home, ".config/sandkeeper/config.toml")
	h.must(os.MkdirAll(filepath.Dir(settings), 0o700))
	write(h.t, settings, fmt.Sprintf("store = \"s3://backups/fleet\"\nstore_host = %q\nseal_to = [%q]\n", name, key.Recipient()))
	identity = filepath.Join(h.t.TempDir(), "key.txt")
	write(h.t, identity, key.String()+"\n")
	return identity
}

// drillsByReading drills with credentials that may only read: the backup comes back, and that nobody could note it in the bucket is a warning.
func (h *recreateHost) drillsByReading(server *buckettest.Server, from []string) {
	h.t.Helper()
	proxy := server.Proxy(h.t)
	proxy.Judge(func(r *http.Request) *buckettest.Fault {
		if r.Method == http.MethodPut {
			return &buckettest.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		}
		return nil
	})
	before := h.env
	h.env = append(slices.Clone(before), "AWS_ENDPOINT_URL="+proxy.Endpoint)
	defer func() { h.env = before }()
	p := h.sandkeeper(append(from, "backups", "drill", "--drill-check", "busybox cat later.md")...)
	if p.exit != 0 || !strings.Contains(p.stdout, "1 backup drilled, 0 failed") || !strings.Contains(p.stderr, `the drill of "alpha" is not noted in the bucket`) {
		h.t.Errorf("drill by reading: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
	}
}

// TestTheWalkFromADeadHost: the walk of docs/backups.md. What the nightly run brought into a bucket is all that is left of a host; on another one
// it is listed, drilled, and its sandbox comes back byte for byte, whose own nightly run then goes beside the old one's.
func TestTheWalkFromADeadHost(t *testing.T) {
	server := buckettest.Start(t)
	server.Bucket(t, "backups", true)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{trueVersion, pairVersion} {
		t.Run(version, func(t *testing.T) {
			old, fresh := newRecreateHost(t, version), newRecreateHost(t, version)
			before, _ := old.saved()
			identity := old.offHost(server, key, "old-"+version)
			later := entry{name: "later.md", content: "written after the first night\n", mode: 0o644, uid: 1000}
			old.must(old.engine.client.CopyToContainer(t.Context(), old.workload(before), "/sandbox", archive(t, []entry{later}), container.CopyToContainerOptions{}))
			files := old.engine.now(old.workload(before))
			// Of this sandbox only, for other tests may have theirs on the engine.
			if p := old.sandkeeper("backup-all", "--quiet", "--verify", "--lock-wait", "10m", "--only", "alpha"); p.exit != 0 || !strings.Contains(p.stdout, "Off the host: 2 backups sent") {
				t.Fatalf("the night: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			old.gone()
			old.must(os.RemoveAll(old.root))
			old.must(os.RemoveAll(filepath.Join(old.home, ".local")))

			fresh.offHost(server, key, "fresh-"+version)
			from := []string{"--store", "s3://backups/fleet", "--store-host", "old-" + version}
			if p := fresh.sandkeeper("backups", "list", "--store", "s3://backups/fleet"); p.exit != 10 || !strings.Contains(p.stderr, "old-"+version) {
				t.Errorf("which hosts there are: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			if p := fresh.sandkeeper(append(from, "backups", "list")...); p.exit != 0 || strings.Count(p.stdout, "\n  alpha ") != 2 {
				t.Errorf("list: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			from = append(from, "--identity", identity)
			check := "busybox cat later.md"
			if p := fresh.sandkeeper(append(from, "backups", "drill", "--drill-check", check)...); p.exit != 0 || !strings.Contains(p.stdout, "written after the first night") {
				t.Errorf("drill: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			fresh.drillsByReading(server, from)
			if p := fresh.recreate(append(from, "--dry-run")...); p.exit != 0 || !strings.Contains(p.stdout, "would make sandbox alpha") {
				t.Errorf("dry run: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			if p := fresh.recreate(from...); p.exit != 0 || strings.Contains(p.stdout+p.stderr, "s3cret-value") {
				t.Fatalf("restore --recreate: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
			fresh.back(before, files, gateway.Ready)
			if left := fresh.engine.drilled(); len(left) > 0 {
				t.Errorf("left by the drill: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(fresh.root, ".fetched-*")); len(left) > 0 {
				t.Errorf("what was opened stays: %v", left)
			}
			if p := fresh.sandkeeper("backup-all", "--quiet", "--verify", "--only", "alpha"); p.exit != 0 || !strings.Contains(p.stdout, "/fleet/fresh-"+version) {
				t.Errorf("the next night: exit %d\n%s\n%s", p.exit, p.stdout, p.stderr)
			}
		})
	}
}
