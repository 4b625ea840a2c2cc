package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// ErrForeign is wrapped by every refusal of Obey.
var ErrForeign = errors.New("what another user could have written is not obeyed")

// Obey reports why nothing may be done because an open file or folder says so: it belongs to a user who is neither root
// nor uid, or other users can write it. nil means that it may be obeyed. info is that of the descriptor, so that what
// was judged is what is read. Errors wrap ErrForeign.
func Obey(info fs.FileInfo, name string, uid int) error {
	return by(info, info.Mode(), uid).refuse(name, ErrForeign)
}

// doubt is why a file may be another user's work; "" when it is not.
type doubt string

// by judges the author of a file by its owner and by a mode.
func by(info fs.FileInfo, mode fs.FileMode, uid int) doubt {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "has an owner that is unknown on this system"
	}
	if owner := int(stat.Uid); owner != 0 && owner != uid {
		return doubt(fmt.Sprintf("belongs to user %d", owner))
	}
	switch {
	case mode&fs.ModeSymlink != 0: // its mode means nothing
	case mode.Perm()&0o002 != 0, mode.Perm()&0o020 != 0 && !privateGroup(stat):
		return doubt(fmt.Sprintf("can be written by other users (mode %04o)", mode.Perm()))
	}

	return ""
}

func (d doubt) refuse(name string, because error) error {
	if d == "" {
		return nil
	}
	return fmt.Errorf("%q %s: %w", name, string(d), because)
}
