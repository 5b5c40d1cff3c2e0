// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Lengths of the headers that the relay adds.
const (
	etherLen  = 14
	ipLen     = 20
	greLen    = 4
	seqLen    = 4
	erspanLen = 8
	tagLen    = 4
	macsLen   = 12
)

const etherIPv4, etherVLAN, etherTEB, etherERSPAN = 0x0800, 0x8100, 0x6558, 0x88be

// Relay reads frames from the interface wrap and writes them to the interface mirror, encapsulated in GRE (RFC 2784, Ethernet frames of type
// 0x6558) or ERSPAN type II, or with a VLAN tag (IEEE 802.1Q). It replaces missing kernel support. It runs in the namespace of the
// switch until it is killed.
func Relay(way string) error {
	if way != GRE && way != ERSPAN && way != RSPAN {
		return fmt.Errorf("%s is nothing that is wrapped here", way)
	}
	in, err := PacketSocket("wrap")
	if err != nil {
		return err
	}
	out, err := PacketSocket("mirror")
	if err != nil {
		return err
	}
	w := newWrapper(way)
	buf := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(in, buf[w.head:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		w.wrap(buf[:w.head+n])
		if _, err := unix.Write(out, buf[:w.head+n]); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
}

// wrapper encapsulates frames.
type wrapper struct {
	way  string
	head int
	seq  uint32
	tmpl []byte
}

func newWrapper(way string) *wrapper {
	if way == RSPAN {
		return &wrapper{way: way, head: tagLen}
	}
	w := &wrapper{way: way, head: etherLen + ipLen + greLen}
	if way == ERSPAN {
		w.head += seqLen + erspanLen
	}
	to, _ := net.ParseMAC(sensorMAC)   // constants
	from, _ := net.ParseMAC(switchMAC) // constants
	b := append(append(make([]byte, 0, w.head), to...), from...)
	b = binary.BigEndian.AppendUint16(b, etherIPv4)
	src, dst := netip.MustParseAddr(tunnelFrom).As4(), netip.MustParseAddr(tunnelTo).As4()
	b = append(b, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 47, 0, 0)
	b = append(append(b, src[:]...), dst[:]...)
	w.tmpl = b
	return w
}

// wrap fills in the headers at the start of p, in front of the frame.
func (w *wrapper) wrap(p []byte) {
	if w.way == RSPAN { // the tag follows the addresses
		copy(p, p[tagLen:tagLen+macsLen])
		binary.BigEndian.PutUint16(p[macsLen:], etherVLAN)
		binary.BigEndian.PutUint16(p[macsLen+2:], RemoteVLAN)
		return
	}
	copy(p, w.tmpl)
	ip := p[etherLen:]
	binary.BigEndian.PutUint16(ip[2:], uint16(len(p)-etherLen))
	binary.BigEndian.PutUint16(ip[10:], Checksum(0, ip[:ipLen]))
	gre := ip[ipLen:]
	if w.way == GRE {
		binary.BigEndian.PutUint16(gre, 0)
		binary.BigEndian.PutUint16(gre[2:], etherTEB)
		return
	}
	const hasSequence, version, full = 0x1000, 1, 3 // full: the frame was not cut and has its own VLAN tag
	binary.BigEndian.PutUint16(gre, hasSequence)
	binary.BigEndian.PutUint16(gre[2:], etherERSPAN)
	binary.BigEndian.PutUint32(gre[4:], w.seq)
	w.seq++
	binary.BigEndian.PutUint32(gre[8:], version<<28|full<<11|sessionID)
	binary.BigEndian.PutUint32(gre[12:], 0)
}

// Checksum returns the Internet checksum (RFC 1071) of b. sum is the sum of the pseudo header.
func Checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// PacketSocket opens a packet socket on an interface of the caller's namespace.
func PacketSocket(name string) (int, error) {
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return 0, fmt.Errorf("raw socket: %w", err)
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: dev.Index})
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }
