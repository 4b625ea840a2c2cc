package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sandkeeper/internal/sandboxname"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
	"sandkeeper/sandbox"
)

// judge says what of a sandbox is carried, what is not, and what the new gateway refuses.
func judge(s Seen) SandboxPlan {
	sb := s.Sandbox
	p := SandboxPlan{
		Name: sb.Name, Workspace: sb.Workspace, Home: s.Home, Running: runs(sb),
		Carried: []Item{}, NotCarried: []Item{}, Refused: []Item{},
	}
	if sb.Container != nil {
		p.Container = sb.Container.Name
	}
	if sb.Route == sandbox.NoRoute {
		p.NotCarried = append(p.NotCarried, Item{"home", "nothing can read it now: " + sb.Reason, "sandkeeper preflight says what is in the way"})
	} else {
		p.Carried = append(p.Carried, Item{Code: "home", Detail: "everything below " + or(s.Home, "its home")})
	}

	p.Carried = append(p.Carried, Item{Code: "workspace", Detail: "workspace " + sb.Workspace + ", which the import makes where it is missing"})
	if why := sandboxname.CheckNew(sb.Name); why != "" {
		p.Refused = append(p.Refused, Item{
			"name", "a sandbox of 0.1.x may not be called so: " + why, fmt.Sprintf("sandkeeper migrate import --rename %s=OTHER", sandbox.Address(sb.Workspace, sb.Name)),
		})
	}

	p.judgeRecipe(s)
	p.NotCarried = append(p.NotCarried,
		Item{Code: "outside-home", Detail: "files outside of its home, such as packages that were installed in the running sandbox: it is made anew from its image"},
		Item{Code: "processes", Detail: "running processes and open sessions"},
		Item{Code: "policy-history", Detail: "earlier revisions of its policy, drafts and approvals: only the policy in force is set again"},
	)
	return p
}

// runs reports whether an export has something to stop: a container that runs, paused or not, also where its gateway
// calls it by another phase than Ready; without a container here, its gateway's word.
func runs(sb sandbox.Sandbox) bool {
	if sb.Container == nil {
		return sb.Standing == sandbox.Ready
	}
	return sb.Container.Running() || sb.Container.Paused()
}

// judgeRecipe judges what its gateway was told to make it from.
func (p *SandboxPlan) judgeRecipe(s Seen) {
	if s.Recipe == nil {
		p.NotCarried = append(p.NotCarried, Item{
			"recipe", "its gateway did not tell what it was made from (" + or(s.Untold, "it was not asked") + "): only the image that its container has is carried, and no variable, label, policy or provider",
			"run the plan again while the gateway of 0.0.x answers",
		})
		return
	}

	r := *s.Recipe
	carry := func(code, detail string) { p.Carried = append(p.Carried, Item{Code: code, Detail: detail}) }
	carry("image", or(r.Image, "the gateway's default image: another one in 0.1.x"))
	p.carryList(carry, "environment", "the variables ", r.EnvNames)
	p.carryList(carry, "providers", "attached: ", r.Providers)
	p.carryList(carry, "command", "", r.Command)
	if len(r.Labels) > 0 {
		carry("labels", fmt.Sprintf("%d label(s)", len(r.Labels)))
	}
	if len(r.Policy) > 0 {
		carry("policy", "the policy in force")
	}
	p.judgeImage(s)
	p.judgeSpec(r.Spec)
}

func (p *SandboxPlan) carryList(carry func(code, detail string), code, words string, list []string) {
	if len(list) > 0 {
		carry(code, words+strings.Join(list, ", "))
	}
}

// judgeImage: 0.1.x builds no Dockerfiles and runs nothing as root (docs/facts/openshell-0.1.md 1.1, 3.3).
func (p *SandboxPlan) judgeImage(s Seen) {
	image, program := s.Recipe.Image, "docker"
	if c := s.Sandbox.Container; c != nil {
		program = c.Program()
	}
	repository, _, _ := strings.Cut(image, ":")
	built := repository == "openshell/sandbox-from" || repository == "nemoclaw-sandbox-local"
	switch {
	case built && !s.ImageHere:
		p.Refused = append(p.Refused, Item{
			"dockerfile", fmt.Sprintf("image %s was built on this host from a Dockerfile and is gone; 0.1.x builds none", image),
			"build it again: " + program + " build -t " + text.ShellWord(image) + " FOLDER",
		})
	case built:
		p.NotCarried = append(p.NotCarried, Item{
			"dockerfile", fmt.Sprintf("the Dockerfile behind %s: 0.1.x builds none. The image that is here is used as it is, so prune no images", image),
			program + " save -o sandbox-image.tar " + text.ShellWord(image),
		})
	case image != "" && !s.ImageHere:
		p.NotCarried = append(p.NotCarried, Item{"image", fmt.Sprintf("image %s is not on this host: the new gateway pulls it, and what its tag names may have changed", image), program + " pull " + text.ShellWord(image)})
	}

	user := ""
	read, err := openshell.RawSandbox{Spec: s.Recipe.Spec}.ReadSpec()
	if err == nil {
		user = read.RunAs
	}
	imageUser, _, _ := strings.Cut(s.ImageUser, ":")
	switch as := or(user, imageUser); {
	case as == "root" || as == "0":
		p.Refused = append(p.Refused, Item{"user", "its agent runs as root, and 0.1.x runs none as root", "set another user in its policy (process.run_as_user), or in its image (USER)"})
	case user != "" && imageUser != "" && user != imageUser:
		p.NotCarried = append(p.NotCarried, Item{"user", fmt.Sprintf("its policy runs it as %s and its image is for %s: 0.1.x takes the policy's, who must be in the image's /etc/passwd and must be allowed to write its home", user, imageUser), ""})
	}
}

// judgeSpec finds what the new gateway cannot be told, or refuses unless its configuration is opened.
func (p *SandboxPlan) judgeSpec(spec []byte) {
	if inexpressible, ok := errors.AsType[*openshell.InexpressibleError](openshell.FitsStable(spec)); ok {
		p.Refused = append(p.Refused, Item{"recipe", inexpressible.Error(), ""})
	}
	config, err := openshell.DriverConfig(spec)
	if err != nil || len(config) == 0 {
		return
	}
	read, err := openshell.RawSandbox{Spec: spec}.ReadSpec()
	if err != nil {
		return
	}
	for _, m := range read.Mounts {
		code, what := "volume-mount", "volume "+m.Source
		if strings.HasPrefix(m.Source, "/") {
			code, what = "bind-mount", "folder "+m.Source+" of this host"
		}
		p.Refused = append(p.Refused, Item{code, fmt.Sprintf("%s at %s: 0.1.x refuses mounts by default", what, m.Target), openMounts})
	}

	if len(read.Mounts) == 0 {
		p.Refused = append(p.Refused, Item{"driver-config", "it has a driver configuration of its own, which 0.1.x refuses by default", openMounts})
	}
}

// openMounts is what opens a gateway of 0.1.x for driver configurations (docs/facts/openshell-0.1.md 4.1).
const openMounts = "set allow_driver_config = true and enable_bind_mounts = true in [openshell.drivers.docker], and enabled = false in " +
	"[openshell.drivers.docker.resource_admission]; or leave it out: sandkeeper migrate import --without-driver-config"

func or(said, otherwise string) string {
	if said == "" {
		return otherwise
	}
	return said
}

// host says what is carried of the gateway itself.
func (f Facts) host() HostPlan {
	h := HostPlan{
		Carried: []Item{}, NotCarried: []Item{}, Refused: []Item{}, Providers: slices.Clone(f.Providers),
	}
	if h.Providers == nil {
		h.Providers = []Provider{}
	}
	h.Carried = append(h.Carried,
		Item{Code: "gateway-state", Detail: "its database, keys and configuration are saved as a backup of the gateway (restore --gateway-state), for the way back to 0.0.x"},
		Item{Code: "provider-profiles", Detail: "exported as YAML where its command line can; they are saved, and imported by you"},
		Item{Code: "settings", Detail: "its settings, and the services and settings of each sandbox, are set again where the new gateway takes them"},
		Item{Code: "workspaces", Detail: "its workspaces, also those without a sandbox; not their members"},
	)
	for _, p := range f.Providers {
		h.NotCarried = append(h.NotCarried, Item{
			"provider", fmt.Sprintf("provider %s (%s): no API gives its credentials; enter again: %s", p.Name, p.Type, or(strings.Join(p.Credentials, ", "), "none")), enterAgain(f.Gateway, p),
		})
	}

	h.NotCarried = append(h.NotCarried,
		Item{Code: "inference-routes", Detail: "inference routes: 0.1.x has none"},
	)
	if f.Config.Content == nil {
		return h
	}
	h.Config = &ConfigPlan{Path: f.Config.Path, Changes: []string{}, Manual: []string{}}
	switch proposal, err := ProposeConfig(f.Config.Content); {
	case errors.Is(err, ErrConfigIsNew):
		h.Carried = append(h.Carried, Item{Code: "gateway-toml", Detail: f.Config.Path + " is of version 2 already"})
	case err != nil:
		h.Refused = append(h.Refused, Item{"gateway-toml", fmt.Sprintf("%s: %v", f.Config.Path, err), "correct it by hand, then: openshell-gateway config preflight"})
	default:
		h.Config.Changes, h.Config.Manual = append(h.Config.Changes, proposal.Changes...), append(h.Config.Manual, proposal.Manual...)
		h.Refused = append(h.Refused, Item{"gateway-toml", f.Config.Path + " is of version 1, with which a gateway of 0.1.x does not start", "the proposed file beside it is of version 2: read it, then put it in its place"})
	}

	return h
}

// enterAgain is the command that makes a provider on the new gateway: the active one may be another. A credential
// without a value is read from the variable of its name.
func enterAgain(gateway string, p Provider) string {
	words := []string{"openshell provider create", "--name", p.Name, "--type", p.Type, "-g", gateway}
	if p.Workspace != "" && p.Workspace != sandbox.DefaultWorkspace {
		words = append(words, "--workspace", p.Workspace)
	}
	for _, name := range p.Credentials {
		words = append(words, "--credential", name)
	}
	for i, word := range words[1:] {
		words[i+1] = text.ShellWord(word)
	}
	return strings.Join(words, " ")
}
