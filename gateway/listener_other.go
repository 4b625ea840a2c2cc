//go:build !linux

package gateway

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/shirou/gopsutil/v3/net"
)

// Listeners is Processes.
func (hostProcesses) Listeners(ctx context.Context, port int) ([]Listener, error) {
	connections, err := net.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("the listening sockets: %w", err)
	}
	var found []Listener
	for _, c := range connections {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != port {
			continue
		}
		l := Listener{PID: int(c.Pid), Port: port}
		l.Address, _ = netip.ParseAddr(c.Laddr.IP)
		if len(c.Uids) > 0 {
			l.UID = int(c.Uids[0])
		}
		found = append(found, l)
	}

	return found, nil
}

// Ports is Processes.
func (hostProcesses) Ports(ctx context.Context, pid int) ([]int, error) { return portsOf(ctx, pid) }

// Realm is Processes: without namespaces every process is the host's.
func (hostProcesses) Realm(context.Context, int) Realm { return Realm{Kind: Ours} }
