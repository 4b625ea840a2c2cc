package tree

import (
	"io"

	"golang.org/x/sys/unix"
)

// tail reads a file of a known size. Holes are not read but given as zeros, and so is what a file that shrinks no
// longer has.
type tail struct {
	layout
	fd    int
	short bool // the file ended before its size
}

// Read gives the next bytes.
func (c *tail) Read(p []byte) (int, error) {
	if c.at == c.size {
		return 0, io.EOF
	}
	end, hole := c.part()
	p = p[:min(int64(len(p)), end-c.at)]
	if hole || c.short {
		clear(p)
		c.at += int64(len(p))
		return len(p), nil
	}

	n, err := unix.Pread(c.fd, p, c.at)
	switch {
	case err == unix.EINTR:
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		c.short = true
	}

	c.at += int64(n)
	return n, nil
}

// dataOf asks the file system where a file has data (SEEK_DATA and SEEK_HOLE, lseek(2)); whole when it has no holes.
func dataOf(fd int, st *unix.Stat_t) (data []extent, whole bool, err error) {
	if st.Blocks*512 >= st.Size {
		return nil, true, nil
	}
	for at := int64(0); at < st.Size; {
		from, err := unix.Seek(fd, at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break
		}
		if err != nil {
			return nil, false, err
		}
		to, err := unix.Seek(fd, from, unix.SEEK_HOLE)
		if err != nil {
			return nil, false, err
		}
		if from = min(from, st.Size); from < st.Size {
			data = append(data, extent{from, min(to, st.Size)})
		}
		at = to
	}

	whole = len(data) == 1 && data[0] == extent{0, st.Size}
	return data, whole, nil
}
