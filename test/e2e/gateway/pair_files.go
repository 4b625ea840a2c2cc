package gateway

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// Bootstrap is what a workload's runtime is told through the channel volume.
type Bootstrap struct {
	Command     []string          `json:"command"`
	Workdir     string            `json:"workdir"`
	Environment map[string]string `json:"environment"`
}

func (d *pair) makeVolume(ctx context.Context, name string, s Sandbox) error {
	_, err := d.Client.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: map[string]string{
		labelManagedBy: "openshell", labelID: s.ID, labelNamespace: d.Namespace, labelBackend: isolationIs,
	}})
	return err
}

// stage uploads the runtime into the workload's own file system and its instructions into the channel; a short-lived
// container puts the companion's files into its volume.
func (d *pair) stage(ctx context.Context, s Sandbox, workload string, from image.InspectResponse) error {
	_, program, err := d.supervisorFile()
	if err != nil {
		return err
	}
	if err := d.upload(ctx, workload, map[string][]byte{strings.TrimPrefix(runtimePath, "/"): program}); err != nil {
		return err
	}
	r, err := recipeOf(s.Spec)
	if err != nil {
		return err
	}
	told, err := json.Marshal(Bootstrap{Command: d.commandOf(s), Workdir: workspaceRoot(from.Config.WorkingDir), Environment: r.environment})
	if err != nil {
		return err
	}
	channel := strings.TrimPrefix(channelPath, "/") + "/sandbox/"
	err = d.upload(ctx, workload, map[string][]byte{channel + "bootstrap.json": told, channel + "server.crt": []byte("made up\n"), channel + "server.key": []byte("made up\n")})
	if err != nil {
		return err
	}
	return d.stageCompanion(ctx, s)
}

// commandOf is the main process of a sandbox: its spec's (command12), else the gateway's.
func (d *pair) commandOf(s Sandbox) (words []string) {
	for _, f := range s.specFields() {
		if f.number == 12 {
			words = append(words, string(f.bytes))
		}
	}

	if words == nil {
		return strings.Fields(d.mainProcess())
	}
	return words
}

func (d *pair) stageCompanion(ctx context.Context, s Sandbox) error {
	name := containerName(d.Version, s) + "-supervisor-stage"
	made, err := d.Client.ContainerCreate(ctx, &container.Config{Image: d.companionImage, Labels: d.ownLabels(s, roleStaging), Cmd: []string{"/openshell-supervisor"}},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: d.volume("supervisor", s), Target: supervisorData}}}, nil, nil, name)
	if err != nil {
		return err
	}
	defer d.Client.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true})
	folder := strings.TrimPrefix(supervisorData, "/") + "/"
	return d.upload(ctx, made.ID, map[string][]byte{
		folder + "runtime-descriptor.json": []byte(d.readState(s, "runtime-descriptor.json")), folder + "auth.json": []byte(d.readState(s, "supervisor-auth.json")),
	})
}

// upload puts files into a container that need not run.
func (d *pair) upload(ctx context.Context, id string, files map[string][]byte) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	made := map[string]bool{}
	for name, content := range files {
		for _, folder := range foldersOf(name) {
			if made[folder] {
				continue
			}
			made[folder] = true
			if err := w.WriteHeader(&tar.Header{Name: folder + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
				return err
			}
		}

		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}

	if err := w.Close(); err != nil {
		return err
	}
	return d.Client.CopyToContainer(ctx, id, "/", &b, container.CopyToContainerOptions{})
}

func foldersOf(name string) (folders []string) {
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		folders = append(folders, folder)
	}
	slices.Reverse(folders)
	return folders
}

// stateFile is one of a sandbox's files on the host.
func (d *pair) stateFile(s Sandbox, name string) string {
	return filepath.Join(filepath.Dir(d.tokenFile(s.ID)), name)
}

// writeState writes what the host keeps of a sandbox. The descriptor claims the workload's container and image.
func (d *pair) writeState(s Sandbox, from image.InspectResponse, workload string) error {
	if err := d.writeToken(s); err != nil {
		return err
	}
	files := map[string]string{
		"runtime-descriptor.json": fmt.Sprintf(`{"sandbox_id":%q,"docker":{"container_id":%q,"image_id":%q}}`, s.ID, workload, from.ID),
		"supervisor-auth.json":    `{"token":"made up"}`, "boundary-bootstrap.json": `{}`, "boundary-server.crt": "made up\n",
		"boundary-server.key": "made up\n", "main-process.json": `{}`, "workspace-root": workspaceRoot(from.Config.WorkingDir), "start-generation": "1",
	}
	for name, content := range files {
		if err := d.place(d.stateFile(s, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (d *pair) readState(s Sandbox, name string) string {
	content, _ := os.ReadFile(d.stateFile(s, name))
	return string(content)
}

func (d *pair) hasDescriptor(s Sandbox) bool { return d.readState(s, "runtime-descriptor.json") != "" }

func (d *pair) removeState(s Sandbox) error { return os.RemoveAll(filepath.Dir(d.tokenFile(s.ID))) }

// identity is the numeric user of a workload. A short-lived container of the sandbox's image shows that image's
// accounts.
func (d *pair) identity(ctx context.Context, s Sandbox, from image.InspectResponse) (string, error) {
	made, err := d.Client.ContainerCreate(ctx, &container.Config{Image: from.ID, Labels: d.ownLabels(s, roleIdentity), Cmd: []string{"/none"}},
		&container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		return "", err
	}
	defer d.Client.ContainerRemove(context.WithoutCancel(ctx), made.ID, container.RemoveOptions{Force: true})
	root := workspaceRoot(from.Config.WorkingDir)
	if _, err := d.Client.ContainerStatPath(ctx, made.ID, root); err != nil && root != "/sandbox" {
		return "", fmt.Errorf("image workspace path component '%s' does not exist", root)
	}
	user, group := s.runAs()
	if user == "" {
		user, group, _ = strings.Cut(from.Config.User, ":")
	}
	if user == "" {
		return "1000:1000", nil // newer gateways have a default for an image without USER
	}
	account, err := d.account(ctx, made.ID, user)
	switch {
	case err != nil:
		return "", err
	case account == nil && group == "":
		return "", fmt.Errorf("OCI USER '%s' was not found in /etc/passwd", user)
	case account != nil && account[2] == "0" || user == "0":
		return "", fmt.Errorf("OCI USER '%s' selects UID 0", from.Config.User)
	case account == nil:
		return user + ":" + group, nil
	}

	if _, err := strconv.Atoi(group); err != nil {
		group = account[3]
	}
	return account[2] + ":" + group, nil
}

// account is the line of /etc/passwd of a user, by name or number.
func (d *pair) account(ctx context.Context, id, user string) ([]string, error) {
	stream, _, err := d.Client.CopyFromContainer(ctx, id, "/etc/passwd")
	if err != nil {
		return nil, nil // an image without accounts
	}
	defer stream.Close()
	r := tar.NewReader(stream)
	if _, err := r.Next(); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.Join(errors.New("reading /etc/passwd"), err)
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) >= 4 && (fields[0] == user || fields[2] == user) {
			return fields, nil
		}
	}

	return nil, nil
}
