// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"stillwatch/internal/testlab/netns"
)

// The commands of the shell on the idle server: the tools that an intruder uploads.
const (
	ARPSweep  = "arp-sweep"
	PingSweep = "ping-sweep"
	PortScan  = "port-scan"
)

// legacy is the unused server: it serves SSH, with tools for discovery after a login.
func (m *machine) legacy() error {
	return m.sshd(":22", func(line string, out io.Writer) int {
		name, rest, _ := strings.Cut(line, " ")
		hosts, err := targets(rest)
		var found []netip.Addr
		switch {
		case err != nil:
		case name == ARPSweep:
			found, err = arpSweep(m.ctx, hosts)
		case name == PingSweep:
			found, err = pingSweep(m.ctx, hosts)
		case name == PortScan:
			found = portScan(m.ctx, hosts, 22, 445, 3389)
		default:
			_, _ = fmt.Fprintf(out, "sh: %s: not found\n", name) // the session may be over
			return 127
		}
		if err != nil {
			_, _ = fmt.Fprintln(out, err)
			return 1
		}
		for _, a := range found {
			_, _ = fmt.Fprintln(out, a)
		}
		return 0
	})
}

// files is a server in use: a web page, and SSH for administrators.
func (m *machine) files() error {
	if err := m.web("Apache/2.4.58 (Debian)", "files", false); err != nil {
		return err
	}
	return m.sshd(netns.Address(netns.Files).String()+":22", nil)
}
