package gateway

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What the kernel tells of a listening socket is what its tables have of it.
func TestTheKernelTellsWhatItsTablesHave(t *testing.T) {
	asked, read := map[string]Listener{}, map[string]Listener{}
	var ports []int
	for _, listener := range listenersOfOurs(t) {
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	if err := askSockets(asked); err != nil {
		t.Skip("this kernel does not tell its listening sockets:", err)
	}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		if err := readSockets(table, read); err != nil {
			t.Fatal(err)
		}
	}
	names, err := openSockets(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if diff := cmp.Diff(read[name], asked[name], cmpopts.EquateComparable(Listener{}.Address)); diff != "" {
			t.Errorf("%s (-table +kernel):\n%s", name, diff)
		}
		ports = slices.DeleteFunc(ports, func(port int) bool { return asked[name].Port == port && asked[name].UID == os.Getuid() })
	}
	if len(ports) > 0 {
		t.Errorf("nothing is told of the sockets that listen on %v", ports)
	}
}

// What the kernel cuts short, or says in another form, is not taken for all there is: the tables are read then.
func TestWhatTheKernelDidNotSayWhole(t *testing.T) {
	if err := ending([]byte{0, 0, 0, 0}); err != nil {
		t.Errorf("all was said: %v", err)
	}
	missing := binary.NativeEndian.AppendUint32(nil, ^uint32(syscall.ENOENT)+1)
	if err := ending(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such handler: %v", err)
	}
	if ending(nil) == nil || addSocket(make([]byte, 71), map[string]Listener{}) == nil {
		t.Error("an answer that is too short is taken for one")
	}
}

// listenersOfOurs are sockets of ours that listen, in every way that there is here.
func listenersOfOurs(t *testing.T) (all []net.Listener) {
	t.Helper()
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp": ":0", "tcp6": "[::1]:0"} {
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Log("not tried:", err)
			continue
		}
		t.Cleanup(func() { _ = listener.Close() })
		all = append(all, listener)
	}
	return all
}

// A process's ports are those that it listens on, also in a network namespace of its own.
func TestPortsAreThoseThatAProcessListensOn(t *testing.T) {
	needsRoot(t, "make namespaces")
	_, home, _ := hostWith(t, 8080)
	path := filepath.Join(home, "bin", gatewayProgram)
	install(t, path, "0.0.37")
	for name, flags := range map[string]uintptr{"our network": 0, "a network of its own": syscall.CLONE_NEWNET} {
		gateway := in(t, syscall.SysProcAttr{Cloneflags: flags}, path, "0")
		got, err := hostProcesses{}.Ports(t.Context(), gateway.Process.Pid)
		if err != nil || !slices.Equal(got, []int{gateway.port}) {
			t.Errorf("%s: ports %v, %v; want %d", name, got, err, gateway.port)
		}
	}

	listening := listenersOfOurs(t)[0].Addr().(*net.TCPAddr)
	calling, err := net.DialTCP("tcp", nil, listening)
	if err != nil {
		t.Fatal(err)
	}
	defer calling.Close()
	got, err := hostProcesses{}.Ports(t.Context(), os.Getpid())
	if err != nil || !slices.Contains(got, listening.Port) || slices.Contains(got, calling.LocalAddr().(*net.TCPAddr).Port) {
		t.Errorf("our ports %v, %v; want %d, and none that only calls", got, err, listening.Port)
	}
}
