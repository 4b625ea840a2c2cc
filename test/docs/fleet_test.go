package docs

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sandkeeper/cmd"
)

// aKey stands where the page leaves a public key out.
const aKey = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"

// fleetBlocks are the code blocks of docs/fleet.md in one language.
func fleetBlocks(t *testing.T, language string, want int) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, strings.ReplaceAll(m[1], "age1…", aKey))
	}
	if len(blocks) != want {
		t.Fatalf("docs/fleet.md has %d blocks of %s, not %d", len(blocks), language, want)
	}
	return blocks
}

// settings are what "config show" has from a config file and an environment, by key.
func settings(t *testing.T, config string, environment ...string) map[string]string {
	t.Helper()
	home := t.TempDir()
	file := filepath.Join(home, ".config/sandkeeper/config.toml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runIn(t, home, environment, "config", "show", "--json")
	var shown struct {
		Result struct {
			Settings []struct{ Key, Value, From string }
		}
	}
	if err := json.Unmarshal([]byte(got.out), &shown); err != nil || got.code != cmd.ExitOK {
		t.Fatalf("the settings are not understood: exit %d, %v\n%s", got.code, err, got.out)
	}
	given := map[string]string{}
	for _, s := range shown.Result.Settings {
		if s.From != "default" {
			given[s.Key] = s.Value
		}
	}
	return given
}

// TestTheFleetsSettingsAreUnderstood: the config file of docs/fleet.md, and the one of its play, are read as they stand, and bring backups off the host.
func TestTheFleetsSettingsAreUnderstood(t *testing.T) {
	for _, config := range []string{fleetBlocks(t, "toml", 1)[0], playOf(t).settings()} {
		given := settings(t, config)
		if given["store"] != "s3://backups/fleet" || given["seal_to"] != aKey {
			t.Errorf("of\n%s\nwas understood: %v", config, given)
		}
	}
}

// play is the play of docs/fleet.md.
type play struct {
	t     *testing.T
	Tasks []map[string]yaml.Node
}

func playOf(t *testing.T) *play {
	t.Helper()
	var plays []play
	if err := yaml.Unmarshal([]byte(fleetBlocks(t, "yaml", 2)[0]), &plays); err != nil || len(plays) != 1 {
		t.Fatalf("%d plays: %v", len(plays), err)
	}
	plays[0].t = t
	return &plays[0]
}

// of are the arguments of every task of a module, in order.
func (p *play) of(module string) (all []map[string]string) {
	p.t.Helper()
	for _, task := range p.Tasks {
		node, is := task["ansible.builtin."+module]
		if !is {
			continue
		}
		var arguments map[string]string
		if err := node.Decode(&arguments); err != nil {
			p.t.Fatal(err)
		}
		all = append(all, arguments)
	}
	return all
}

// settings is the config file that the play writes, with its variables.
func (p *play) settings() string {
	text := p.of("copy")[0]["content"]
	return strings.NewReplacer("{{ inventory_hostname }}", "host1", "{{ fleet_key }}", aKey).Replace(text)
}

// TestThePlayStandsOnItsOwn: it makes the folder that it writes into, which copy does not do by itself, and each of its tasks does one thing.
func TestThePlayStandsOnItsOwn(t *testing.T) {
	p := playOf(t)
	made, copied := p.of("file"), p.of("copy")
	if len(made) != 1 || len(copied) != 1 || made[0]["state"] != "directory" || made[0]["path"] != path.Dir(copied[0]["dest"]) {
		t.Errorf("the folder of %v is not made first: %v", copied, made)
	}
	if known := len(made) + len(copied) + len(p.of("shell")); known != len(p.Tasks) {
		t.Errorf("%d tasks, of which %d are known modules", len(p.Tasks), known)
	}
}

// job is what docs/fleet.md has of a CronJob, as far as something of it must fit something else.
type job struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Spec       struct {
		Schedule    string
		JobTemplate struct {
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Args         []string
							Env          []struct{ Name, Value string }
							VolumeMounts []struct {
								Name      string
								MountPath string `yaml:"mountPath"`
							} `yaml:"volumeMounts"`
						}
						Volumes []struct {
							Name   string
							Secret struct {
								Items []struct{ Key, Path string }
							}
						}
					}
				}
			}
		} `yaml:"jobTemplate"`
	}
}

// TestTheCronJobFitsTheProgram: its variables are settings of the program, its mounts have volumes, its secret is a registration that the program
// reads as a cluster's node mounts it.
func TestTheCronJobFitsTheProgram(t *testing.T) {
	var j job
	if err := yaml.Unmarshal([]byte(fleetBlocks(t, "yaml", 2)[1]), &j); err != nil || j.Kind != "CronJob" || j.APIVersion != "batch/v1" || len(strings.Fields(j.Spec.Schedule)) != 5 {
		t.Fatalf("%+v: %v", j, err)
	}
	pod := j.Spec.JobTemplate.Spec.Template.Spec
	container := pod.Containers[0]
	var environment []string
	for _, e := range container.Env {
		if strings.HasPrefix(e.Name, "SANDKEEPER_") {
			environment = append(environment, e.Name+"="+e.Value)
		}
	}
	if given := settings(t, "", environment...); len(given) < len(environment) {
		t.Errorf("of %q were understood: %v", environment, given)
	}

	volumes := map[string]int{}
	for i, v := range pod.Volumes {
		volumes[v.Name] = i
	}
	registrations := 0
	for _, mount := range container.VolumeMounts {
		i, there := volumes[mount.Name]
		if !there {
			t.Errorf("%s is mounted and no volume", mount.Name)
		}
		if items := pod.Volumes[i].Secret.Items; len(items) > 0 {
			registrations++
			home := t.TempDir()
			for _, item := range items {
				mountedByANode(t, filepath.Join(home, mount.MountPath), item.Path)
			}
			if got := runIn(t, home, []string{"XDG_CONFIG_HOME=" + home + "/config"}, "preflight", "--json"); !strings.Contains(got.out, "https://gateway.example.org:8443") {
				t.Errorf("the registration is not read:\n%s", got.out)
			}
		}
	}

	if registrations != 1 {
		t.Errorf("%d secrets are a registration", registrations)
	}
}

// mountedByANode writes a file of a registration as a kubelet shows a secret: behind two links.
func mountedByANode(t *testing.T, dir, name string) {
	t.Helper()
	text := map[string]string{
		"active_gateway": "cluster1",
		"metadata.json":  `{"name": "cluster1", "gateway_endpoint": "https://gateway.example.org:8443", "is_remote": true, "auth_mode": "mtls"}`,
	}[path.Base(name)]
	file := filepath.Join(dir, "..2026_11_27", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(name, "/")
	for link, to := range map[string]string{"..data": "..2026_11_27", first: "..data/" + first} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}
