package dockertest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// load takes docker's archive of one image whose layers are here, as Docker does: it opens no layer that it has.
func (d *Daemon) load(w http.ResponseWriter, r *http.Request) {
	files := map[string][]byte{}
	for archive := tar.NewReader(r.Body); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			files[header.Name], err = io.ReadAll(archive)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
	}

	if err := d.take(files); err != nil {
		reply(w, http.StatusOK, map[string]string{"error": err.Error()}) // Docker has begun its answer by then
		return
	}
	reply(w, http.StatusOK, map[string]string{"stream": "Loaded image\n"})
}

func (d *Daemon) take(files map[string][]byte) error {
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		return errors.Join(errors.New("invalid manifest"), err)
	}
	var image struct {
		Config struct {
			WorkingDir string
			Labels     map[string]string
		} `json:"config"`
		RootFS struct {
			Layers []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files[manifest[0].Config], &image); err != nil {
		return err
	}
	if len(manifest[0].Layers) != len(image.RootFS.Layers) {
		return errors.New("invalid manifest, layers length mismatch")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.giveUp(manifest[0].RepoTags)
	for _, kept := range d.kept {
		made, fits := kept.under(image.RootFS.Layers, files[manifest[0].Layers[len(manifest[0].Layers)-1]])
		if !fits {
			continue
		}
		d.made++
		id := "sha256:" + hexID("4", d.made)
		made.Labels, made.Workdir = image.Config.Labels, image.Config.WorkingDir
		d.kept[id] = made
		for _, ref := range manifest[0].RepoTags {
			d.images[familiar(ref)] = id
		}
		return nil
	}

	return errors.New("a layer of the image is in no archive and not here")
}

// giveUp forgets what was committed and has only these names, which a load gives to another image.
func (d *Daemon) giveUp(names []string) {
	if !d.forgets {
		return
	}
	for _, name := range names {
		id := d.images[familiar(name)]
		delete(d.images, familiar(name))
		if !slices.Contains(slices.Collect(maps.Values(d.images)), id) {
			delete(d.kept, id)
		}
	}
}

func (i Image) layers() []string {
	if i.top == "" {
		return []string{i.layer}
	}
	return []string{i.layer, i.top}
}

// under is an image of these layers, of which it has all, or all but the last one, which is content.
func (i Image) under(layers []string, content []byte) (made Image, fits bool) {
	made = Image{Files: slices.Clone(i.Files), layer: i.layer, top: i.top}
	switch {
	case slices.Equal(layers, i.layers()):
		return made, true
	case i.top != "" || len(layers) != 2 || layers[0] != i.layer || layers[1] != fmt.Sprintf("sha256:%x", sha256.Sum256(content)):
		return made, false
	}

	made.top = layers[1]
	for archive := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := archive.Next()
		if err != nil {
			return made, errors.Is(err, io.EOF)
		}
		made.hide("/" + header.Name)
	}
}

// hide does what a whiteout in a layer does; another name does nothing.
func (i *Image) hide(name string) {
	dir, base := path.Split(name)
	gone := dir
	switch hidden, is := strings.CutPrefix(base, ".wh."); {
	case !is:
		return
	case base != ".wh..wh..opq":
		gone = dir + hidden
	}

	i.Files = slices.DeleteFunc(i.Files, func(f File) bool {
		return f.Path == gone && !strings.HasSuffix(gone, "/") || strings.HasPrefix(f.Path, strings.TrimSuffix(gone, "/")+"/")
	})
}
