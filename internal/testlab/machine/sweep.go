// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// targets returns the hosts of a list of networks and addresses, separated by spaces.
func targets(text string) (list []netip.Addr, err error) {
	for word := range strings.FieldsSeq(text) {
		if a, err := netip.ParseAddr(word); err == nil {
			list = append(list, a)
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil {
			return nil, err
		}
		for a := p.Masked().Addr().Next(); p.Contains(a); a = a.Next() {
			list = append(list, a)
		}
	}
	return list, nil
}

// arpSweep sends an ARP request for each host, 50 a second, and returns the hosts that replied.
func arpSweep(ctx context.Context, hosts []netip.Addr) ([]netip.Addr, error) {
	dev, err := net.InterfaceByName("eth0")
	if err != nil {
		return nil, err
	}
	own, err := ownAddress(dev)
	if err != nil {
		return nil, err
	}
	const etherARP = 0x0608 // 0x0806 in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, etherARP)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	to := &unix.SockaddrLinklayer{Protocol: etherARP, Ifindex: dev.Index}
	if err := unix.Bind(fd, to); err != nil {
		return nil, err
	}
	for _, a := range hosts {
		if a == own || ctx.Err() != nil {
			continue
		}
		if _, err := unix.Write(fd, arpRequest(dev.HardwareAddr, own, a)); err != nil {
			return nil, err
		}
		pause(ctx, 20*time.Millisecond)
	}
	return arpReplies(fd, own)
}

func ownAddress(dev *net.Interface) (netip.Addr, error) {
	addrs, err := dev.Addrs()
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}, err
	}
	p, err := netip.ParsePrefix(addrs[0].String())
	return p.Addr(), err
}

// arpRequest returns a frame (RFC 826).
func arpRequest(mac net.HardwareAddr, own, target netip.Addr) []byte {
	b := append([]byte{255, 255, 255, 255, 255, 255}, mac...)
	b = append(b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	b = append(append(b, mac...), own.AsSlice()...)
	b = append(append(b, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
	return append(b, make([]byte, 60-len(b))...) // the minimum length of a frame
}

// arpReplies reads replies until the socket is empty.
func arpReplies(fd int, own netip.Addr) (found []netip.Addr, err error) {
	buf := make([]byte, 128)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		const reply = 2
		if n < 42 || binary.BigEndian.Uint16(buf[20:]) != reply || netip.AddrFrom4([4]byte(buf[38:42])) != own {
			continue
		}
		found = append(found, netip.AddrFrom4([4]byte(buf[28:32])))
	}
}

// pingSweep sends an echo request to each host and returns the hosts that replied.
func pingSweep(ctx context.Context, hosts []netip.Addr) (found []netip.Addr, err error) {
	c, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	for seq, a := range hosts {
		b, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq, Data: make([]byte, 56)}}).Marshal(nil)
		if err != nil {
			return nil, err
		}
		_, _ = c.WriteTo(b, &net.IPAddr{IP: a.AsSlice()}) // the error for a missing host is returned later
		pause(ctx, 60*time.Millisecond)
	}
	if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		return nil, err
	}
	for buf := make([]byte, 1500); ; {
		n, from, err := c.ReadFrom(buf)
		if err != nil { // the deadline
			return found, nil
		}
		if m, err := icmp.ParseMessage(unix.IPPROTO_ICMP, buf[:n]); err == nil && m.Type == ipv4.ICMPTypeEchoReply {
			if a, ok := netip.AddrFromSlice(from.(*net.IPAddr).IP.To4()); ok {
				found = append(found, a)
			}
		}
	}
}

// portScan connects to ports of each host and returns the hosts with an open port.
func portScan(ctx context.Context, hosts []netip.Addr, ports ...uint16) (found []netip.Addr) {
	for _, a := range hosts {
		for _, port := range ports {
			c, err := dialer(netip.Addr{}, 200*time.Millisecond).DialContext(ctx, "tcp4", netip.AddrPortFrom(a, port).String())
			if err != nil {
				continue
			}
			_ = c.Close()
			found = append(found, a)
		}
	}
	return found
}
