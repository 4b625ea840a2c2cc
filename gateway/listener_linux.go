package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening is the state of a listening socket in /proc/net/tcp (TCP_LISTEN, proc(5)).
const listening = "0A"

// Listeners is Processes. Sockets are those of our own network namespace; one whose process this user may not look into
// has PID 0.
func (h hostProcesses) Listeners(ctx context.Context, port int) ([]Listener, error) {
	sockets := map[string]Listener{}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		if err := readSockets(table, port, sockets); err != nil {
			return nil, err
		}
	}

	if len(sockets) == 0 {
		return nil, nil
	}
	pids, err := h.PIDs(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return holding(ctx, pids, sockets), ctx.Err()
}

// readSockets adds the listening sockets of a table to found, by the name that a descriptor of them has.
func readSockets(table string, port int, found map[string]Listener) error {
	f, err := os.Open(table)
	if errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		at, ok := socketAddress(fields[1])
		if !ok || int(at.Port()) != port {
			continue
		}
		found["socket:["+fields[9]+"]"] = Listener{UID: number(fields[7]), Address: at.Addr(), Port: port}
	}

	return lines.Err()
}

// socketAddress reads "0100007F:1F90": the address in words of 32 bits, each as this machine keeps it.
func socketAddress(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	bytes, hexErr := hex.DecodeString(host)
	if err != nil || hexErr != nil || len(bytes)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(bytes, 4) {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	address, ok := netip.AddrFromSlice(bytes)
	return netip.AddrPortFrom(address.Unmap(), uint16(n)), ok
}

// holding finds the processes that have the sockets open: several can hold one.
func holding(ctx context.Context, pids []int, sockets map[string]Listener) []Listener {
	var found []Listener
	seen := map[string]bool{}
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		for name := range openSockets(pid) {
			if socket, ok := sockets[name]; ok && !slices.ContainsFunc(found, func(l Listener) bool { return l.PID == pid && l.Address == socket.Address }) {
				socket.PID = pid
				found = append(found, socket)
				seen[name] = true
			}
		}
	}

	for name, socket := range sockets {
		if !seen[name] {
			found = append(found, socket)
		}
	}

	return found
}

// openSockets are the names of the sockets that a process has open, as far as this user may see.
func openSockets(pid int) map[string]bool {
	names := map[string]bool{}
	for _, dir := range append([]string{procDir(pid)}, threads(pid)...) {
		entries, err := os.ReadDir(filepath.Join(dir, "fd"))
		for _, entry := range entries {
			if link, err := os.Readlink(filepath.Join(dir, "fd", entry.Name())); err == nil && strings.HasPrefix(link, "socket:") {
				names[link] = true
			}
		}

		if err == nil && len(entries) > 0 { // threads share their descriptors; a first thread that has ended has none
			break
		}
	}
	return names
}
