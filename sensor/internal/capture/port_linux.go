// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"stillwatch/sensor/internal/packet"
)

// port is an interface for capture. It opens all that it needs at the start, so that it works after privileges are dropped.
type port struct {
	mu    sync.Mutex
	name  string
	index int
	wait  bool // wait for the interface if it disappears
	link  packet.LinkType
	kind  uint16   // ARPHRD_
	fd    int      // of rtnetlink(7)
	queue *os.File // /proc/net/softnet_stat; nil if it does not exist
	base  portCounters

	checked int64 // second of the last check
}

// portCounters is counters of the kernel for an interface and its input queue.
type portCounters struct{ received, sent, missed, unclaimed, queue uint64 }

// errGone reports that the interface does not exist any more.
var errGone = errors.New("the interface is gone")

// openPort opens an interface. It must exist, be up, and have a link type that is supported.
func openPort(name string, wait bool) (*port, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, &AbsentError{fmt.Sprintf("no interface %s; available: %s", name, strings.Join(portNames(), " "))}
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	p := &port{name: name, index: i.Index, wait: wait, fd: fd}
	p.queue, _ = os.Open("/proc/net/softnet_stat") // optional: without it Drops.Queue stays 0
	l, err := p.ask()
	if err == nil {
		err = p.take(l)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *port) take(l linkState) error {
	if !l.up {
		return &AbsentError{fmt.Sprintf("the interface %s is down: ip link set %s up", p.name, p.name)}
	}
	switch l.kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		p.link = packet.LinkEthernet
	case unix.ARPHRD_NONE:
		p.link = packet.LinkRaw
	default:
		return fmt.Errorf("interface %s: type %d is not supported (ARPHRD_ in linux/if_arp.h; Ethernet is 1)", p.name, l.kind)
	}
	p.kind, p.base = l.kind, l.portCounters
	return nil
}

func (p *port) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Close(p.fd) // nothing was written
	p.fd = -1
	if p.queue != nil {
		_ = p.queue.Close()
	}
}

// addTo adds the counters and the state of the port to s.
func (p *port) addTo(s *Stats) {
	c, l, err := p.since()
	switch {
	case err != nil:
		s.Blind = "the interface " + p.name + " is gone"
		return
	case !l.up:
		s.Blind = "the interface " + p.name + " is down"
	case !l.carrier:
		s.Blind = "the interface " + p.name + " has no link"
	default:
		s.Blind = ""
	}
	s.Drops.NIC, s.Drops.Queue, s.Unclaimed, s.Sent = c.missed, c.queue, c.unclaimed, c.sent
	s.Traffic = c.received + s.Received
}

// check checks once a second whether the interface exists. If it is gone, that is an error or, with wait, back is true when an interface with
// its name exists again; the caller then binds to it.
func (p *port) check(second int64) (back bool, err error) {
	if second == p.checked {
		return false, nil
	}
	p.checked = second
	if _, _, err = p.since(); !errors.Is(err, errGone) {
		return false, nil // an error of rtnetlink does not mean that the interface is gone
	}
	if !p.wait {
		return false, fmt.Errorf("%s: %w", p.name, err)
	}
	return p.find(), nil
}

// find searches for an interface of the same name and type, and starts to count at zero.
func (p *port) find() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := append([]byte(p.name), 0)
	attr := make([]byte, unix.SizeofRtAttr, unix.SizeofRtAttr+unix.IFNAMSIZ)
	binary.NativeEndian.PutUint16(attr, uint16(unix.SizeofRtAttr+len(name)))
	binary.NativeEndian.PutUint16(attr[2:], unix.IFLA_IFNAME)
	attr = append(attr, name...)
	l, err := p.request(0, append(attr, make([]byte, -len(attr)&3)...))
	if err != nil || l.kind != p.kind {
		return false
	}
	p.index, p.base = l.index, l.portCounters
	return true
}

func portNames() (names []string) {
	all, _ := net.Interfaces() // the names only help the user
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

// since returns the counters since the port was opened, and its state. A counter that was reset starts again.
func (p *port) since() (c portCounters, l linkState, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, err = p.ask(); err != nil {
		return c, l, err
	}
	c = l.portCounters
	b := &p.base
	for _, x := range []struct{ now, base *uint64 }{
		{&c.received, &b.received}, {&c.sent, &b.sent}, {&c.missed, &b.missed}, {&c.unclaimed, &b.unclaimed}, {&c.queue, &b.queue},
	} {
		*x.base = min(*x.base, *x.now)
		*x.now -= *x.base
	}
	return c, l, nil
}

// linkState is what rtnetlink says of an interface.
type linkState struct {
	index       int
	up, carrier bool   // as the administrator wants it, and whether the link is there
	kind        uint16 // ARPHRD_
	portCounters
}

// ask requests the state of the port.
func (p *port) ask() (linkState, error) { return p.request(p.index, nil) }

// request sends RTM_GETLINK for an interface, by index or by attributes, and reads the answer.
func (p *port) request(index int, attr []byte) (l linkState, err error) {
	req := append(make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg), attr...)
	binary.NativeEndian.PutUint32(req, uint32(len(req)))
	binary.NativeEndian.PutUint16(req[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(req[unix.SizeofNlMsghdr+4:], uint32(index))
	if err := unix.Sendto(p.fd, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return l, fmt.Errorf("ask rtnetlink: %w", err)
	}
	answer := make([]byte, 16<<10)
	n, _, err := unix.Recvfrom(p.fd, answer, 0)
	if err != nil {
		return l, fmt.Errorf("ask rtnetlink: %w", err)
	}
	if l, err = parseLink(answer[:n]); err == nil {
		l.queue = p.queueDrops()
	}
	return l, err
}

// Indices in struct rtnl_link_stats64 (linux/if_link.h), in words of 64 bits.
const (
	statRxPackets = 0
	statTxPackets = 1
	statRxDropped = 6
	statRxFIFO    = 14
	statRxMissed  = 15
)

func parseLink(b []byte) (l linkState, err error) {
	const head = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg
	if len(b) < head || binary.NativeEndian.Uint16(b[4:]) != unix.RTM_NEWLINK {
		return l, errGone
	}
	l.kind = binary.NativeEndian.Uint16(b[unix.SizeofNlMsghdr+2:])
	l.index = int(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr+4:]))
	flags := binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr+8:])
	l.up, l.carrier = flags&unix.IFF_UP != 0, flags&unix.IFF_LOWER_UP != 0
	for b = b[head:]; len(b) >= unix.SizeofRtAttr; {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			break
		}
		if v := b[unix.SizeofRtAttr:n]; binary.NativeEndian.Uint16(b[2:]) == unix.IFLA_STATS64 && len(v) >= 8*(statRxMissed+1) {
			at := func(i int) uint64 { return binary.NativeEndian.Uint64(v[8*i:]) }
			l.received, l.sent, l.unclaimed = at(statRxPackets), at(statTxPackets), at(statRxDropped)
			l.missed = at(statRxFIFO) + at(statRxMissed)
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return l, nil
}

// queueDrops returns the second column of softnet_stat, summed over the processors: frames that did not fit into the input queue of the kernel
// (net.core.netdev_max_backlog).
func (p *port) queueDrops() (n uint64) {
	if p.queue == nil {
		return 0
	}
	text := make([]byte, 64<<10)
	m, _ := p.queue.ReadAt(text, 0) // ends with io.EOF
	for line := range bytes.Lines(text[:m]) {
		if f := bytes.Fields(line); len(f) > 1 {
			x, _ := strconv.ParseUint(string(f[1]), 16, 64)
			n += x
		}
	}
	return n
}
