package trust

import "fmt"

// Folder reports why programs below dir, an absolute path, must not be executed: the folder, or one on the way to it,
// belongs to another user or can be written by one. Errors wrap ErrUntrusted, or fs.ErrNotExist.
func Folder(dir string, uid int) error {
	real, info, err := follow(dir, uid)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%q is not a folder: %w", real, ErrUntrusted)
	}
	return owned(info, real, uid)
}
