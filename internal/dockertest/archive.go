package dockertest

import (
	"archive/tar"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// stat is the X-Docker-Container-Path-Stat header: base64 of this JSON.
type stat struct {
	Name       string      `json:"name"`
	Size       int64       `json:"size"`
	Mode       fs.FileMode `json:"mode"`
	Mtime      time.Time   `json:"mtime"`
	LinkTarget string      `json:"linkTarget"`
}

// getArchive answers GET and HEAD: the tar of one file or folder, its names beginning with the last part of the path. A
// symbolic link named by the path is not followed, one on the way to it is.
func (d *Daemon) getArchive(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	c := d.find(r.PathValue("id"))
	if c == nil {
		d.mu.Unlock()
		refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
		return
	}

	asked := r.URL.Query().Get("path")
	name := path.Clean("/" + asked)
	f := c.at(name)
	if f == nil && name == "/" { // which every container has
		f = &File{Path: "/", Type: tar.TypeDir, Mode: 0o755}
	}
	if f == nil {
		d.mu.Unlock()
		refuse(w, http.StatusNotFound, "Could not find the file "+asked+" in container "+r.PathValue("id"))
		return
	}

	header, files := statOf(*f), c.below(name)
	d.mu.Unlock() // a slow reader must not stop the daemon

	w.Header().Set("X-Docker-Container-Path-Stat", header)
	if r.Method == http.MethodHead {
		return
	}
	w.Header().Set("Content-Type", "application/x-tar")
	archive := tar.NewWriter(w)
	for _, f := range files {
		if writeEntry(archive, f, path.Dir(name)) != nil {
			return
		}
	}

	_ = archive.Close()
}

func statOf(f File) string {
	info := f.header(path.Dir(f.Path)).FileInfo()
	s := stat{Name: path.Base(f.Path), Size: int64(len(f.Data)), Mode: info.Mode(), Mtime: f.ModTime}
	if f.Type == tar.TypeSymlink {
		s.LinkTarget = f.Link
		if !path.IsAbs(f.Link) {
			s.LinkTarget = path.Join(path.Dir(f.Path), f.Link)
		}
	}

	encoded, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and times always encode
	}
	return base64.StdEncoding.EncodeToString(encoded)
}

// header is f's tar header, with names relative to base.
func (f File) header(base string) *tar.Header {
	relative := func(name string) string { return strings.TrimPrefix(strings.TrimPrefix(name, base), "/") }
	h := &tar.Header{
		Typeflag: f.Type, Name: relative(f.Path), Mode: f.Mode | typeBits(f.Type), Uid: f.UID, Gid: f.GID, ModTime: f.ModTime,
		Linkname: f.Link, PAXRecords: f.PAX, Format: tar.FormatPAX,
	}
	switch f.Type {
	case tar.TypeReg:
		h.Size = int64(len(f.Data))
	case tar.TypeDir:
		h.Name += "/"
	case tar.TypeLink:
		h.Linkname = relative(f.Link)
	}
	return h
}

// typeBits are the Unix file type bits, which Docker still writes into the mode as Go 1.8 did.
func typeBits(kind byte) int64 {
	switch kind {
	case tar.TypeDir:
		return 0o040000
	case tar.TypeSymlink:
		return 0o120000
	case tar.TypeFifo:
		return 0o010000
	case tar.TypeChar:
		return 0o020000
	case tar.TypeBlock:
		return 0o060000
	}
	return 0o100000
}

func writeEntry(archive *tar.Writer, f File, base string) error {
	if err := archive.WriteHeader(f.header(base)); err != nil {
		return err
	}
	if f.Type != tar.TypeReg {
		return nil
	}
	_, err := archive.Write(f.Data)
	return err
}

// putArchive unpacks a tar into a folder, which must exist.
func (d *Daemon) putArchive(w http.ResponseWriter, r *http.Request) {
	files, err := readEntries(r.Body, path.Clean("/"+r.URL.Query().Get("path")))
	d.with(w, r, func(c *Container) {
		asked := r.URL.Query().Get("path")
		folder := c.at(path.Clean("/" + asked))
		switch {
		case folder == nil:
			refuse(w, http.StatusNotFound, "Could not find the file "+asked+" in container "+r.PathValue("id"))
		case folder.Type != tar.TypeDir:
			refuse(w, http.StatusBadRequest, "not a directory")
		case err != nil:
			refuse(w, http.StatusInternalServerError, "Error processing tar file: "+err.Error())
		default:
			for _, f := range files {
				c.put(f)
			}
		}
	})
}

func readEntries(body io.Reader, into string) ([]File, error) {
	archive := tar.NewReader(body)
	var files []File
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		f := File{
			Path: path.Join(into, h.Name), Type: h.Typeflag, Mode: h.Mode & 0o7777, UID: h.Uid, GID: h.Gid, ModTime: h.ModTime,
			Data: data, Link: h.Linkname, PAX: h.PAXRecords,
		}
		if h.Typeflag == tar.TypeLink {
			f.Link = path.Join(into, h.Linkname)
		}
		files = append(files, f)
	}
}
