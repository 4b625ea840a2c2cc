package gateway

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// listeningSockets are the listening TCP sockets of our own network namespace, by the name that a descriptor of them has.
// The kernel is asked for these alone, as ss(8) does: its tables in /proc have every connection beside them, and it
// searches all its memory for connections to write them. Where it cannot be asked, as under gVisor, the tables are read.
func listeningSockets() (map[string]Listener, error) {
	found := map[string]Listener{}
	if err := askSockets(found); err == nil {
		return found, nil
	}
	clear(found)
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		if err := readSockets(table, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// socketName is the name that a descriptor of the socket with this inode has.
func socketName(inode string) string { return "socket:[" + inode + "]" }

// askSockets adds the listening sockets that the kernel names to found (sock_diag(7)).
func askSockets(found map[string]Listener) error {
	asking, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(asking)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := unix.Sendto(asking, listenersOf(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return err
		}
		if err := hearSockets(asking, found); err != nil {
			return err
		}
	}
	return nil
}

// listenersOf asks for the listening TCP sockets of a family: a header and a struct inet_diag_req_v2, whose id is all zeros.
func listenersOf(family byte) []byte {
	const idLength = 48
	request := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+8+idLength)
	request = binary.NativeEndian.AppendUint16(request, unix.SOCK_DIAG_BY_FAMILY)
	request = binary.NativeEndian.AppendUint16(request, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request = append(request, make([]byte, 8)...) // no sequence, no port
	request = append(request, family, unix.IPPROTO_TCP, 0, 0)
	request = binary.NativeEndian.AppendUint32(request, 1<<unix.BPF_TCP_LISTEN)
	return append(request, make([]byte, idLength)...)
}

// hearSockets adds what the kernel answers to found, until it has said all.
func hearSockets(asking int, found map[string]Listener) error {
	buffer := make([]byte, 32<<10) // the kernel fills no larger one
	for {
		n, _, flags, _, err := unix.Recvmsg(asking, buffer, nil, 0)
		if err != nil {
			return err
		}
		if flags&unix.MSG_TRUNC != 0 {
			return errors.New("an answer of the kernel was cut off")
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, message := range messages {
			switch message.Header.Type {
			case unix.NLMSG_DONE:
				return ending(message.Data)
			case unix.NLMSG_ERROR:
				return errors.New("the kernel does not tell its listening sockets")
			case unix.SOCK_DIAG_BY_FAMILY:
				if err := addSocket(message.Data, found); err != nil {
					return err
				}
			}
		}
	}
}

// ending is what the kernel says last: 0, or as a negative number why it could not say all.
func ending(answer []byte) error {
	if len(answer) < 4 {
		return errors.New("an answer of the kernel has no end")
	}
	if status := int32(binary.NativeEndian.Uint32(answer)); status != 0 {
		return syscall.Errno(-status)
	}
	return nil
}

// addSocket reads a struct inet_diag_msg: family, state and two bytes, the id with ports and addresses in the order of
// the network, four numbers, of which the last is the user, and the inode.
func addSocket(answer []byte, found map[string]Listener) error {
	if len(answer) < 72 {
		return errors.New("an answer of the kernel is too short")
	}
	if answer[1] != unix.BPF_TCP_LISTEN {
		return nil
	}
	address, _ := netip.AddrFromSlice(answer[8:12])
	if answer[0] == unix.AF_INET6 {
		address, _ = netip.AddrFromSlice(answer[8:24])
	}
	inode := strconv.FormatUint(uint64(binary.NativeEndian.Uint32(answer[68:])), 10)
	found[socketName(inode)] = Listener{
		UID: int(binary.NativeEndian.Uint32(answer[64:])), Address: address.Unmap(), Port: int(binary.BigEndian.Uint16(answer[4:])),
	}
	return nil
}

// listening is the state of a listening socket in /proc/net/tcp (TCP_LISTEN, proc(5)).
const listening = "0A"

// readSockets adds the listening sockets of a table to found, by the name that a descriptor of them has.
func readSockets(table string, found map[string]Listener) error {
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
		if ok {
			found[socketName(fields[9])] = Listener{UID: number(fields[7]), Address: at.Addr(), Port: int(at.Port())}
		}
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
