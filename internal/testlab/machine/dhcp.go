// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"syscall"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/netns"
)

// The ports and times of DHCP (RFC 2131). A lease is short so that a run shows its renewal, after half of the time.
const (
	dhcpServerPort = 67
	dhcpClientPort = 68
	leaseTime      = 10 * time.Second
)

// leases runs the DHCP server. Each machine has a fixed address, by its MAC.
func (m *machine) leases() error {
	c, err := broadcaster(m.ctx, fmt.Sprintf("0.0.0.0:%d", dhcpServerPort))
	if err != nil {
		return err
	}
	context.AfterFunc(m.ctx, func() { _ = c.Close() })
	m.group.Go(func() error {
		for buf := make([]byte, 1500); ; {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				return m.ctx.Err()
			}
			a := lease(buf[:n])
			if a == nil {
				continue
			}
			to := &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpClientPort}
			if !a.ClientIP.IsUnspecified() { // it has its address already
				to.IP = a.ClientIP
			}
			_, _ = c.WriteTo(dhcpBytes(a), to) // who asked will ask again
		}
	})
	return nil
}

// broadcaster returns a socket that may send broadcasts.
func broadcaster(ctx context.Context, address string) (net.PacketConn, error) {
	l := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1), unix.BindToDevice(int(fd), "eth0"))
		}), err)
	}}
	return l.ListenPacket(ctx, "udp4", address)
}

// lease returns the answer to a request, nil if it is not a request or the machine has no lease.
func lease(question []byte) *layers.DHCPv4 {
	var q layers.DHCPv4
	if q.DecodeFromBytes(question, gopacket.NilDecodeFeedback) != nil || q.Operation != layers.DHCPOpRequest {
		return nil
	}
	kind := map[layers.DHCPMsgType]layers.DHCPMsgType{layers.DHCPMsgTypeDiscover: layers.DHCPMsgTypeOffer, layers.DHCPMsgTypeRequest: layers.DHCPMsgTypeAck}[dhcpKind(&q)]
	for _, x := range netns.Machines() {
		if x.MAC != q.ClientHWAddr.String() || !x.Leased() || kind == layers.DHCPMsgTypeUnspecified {
			continue
		}
		mask, router, dns, seconds := net.CIDRMask(netns.PrefixLength, 32), netns.Address(netns.Router).As4(), netns.Address(netns.DNS).As4(), uint32(leaseTime/time.Second)
		return &layers.DHCPv4{
			Operation: layers.DHCPOpReply, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: q.Xid, Flags: q.Flags, ClientIP: q.ClientIP,
			YourClientIP: x.IP.AsSlice(), ClientHWAddr: q.ClientHWAddr, Options: layers.DHCPOptions{
				layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)}),
				layers.NewDHCPOption(layers.DHCPOptServerID, dns[:]),
				layers.NewDHCPOption(layers.DHCPOptLeaseTime, []byte{byte(seconds >> 24), byte(seconds >> 16), byte(seconds >> 8), byte(seconds)}),
				layers.NewDHCPOption(layers.DHCPOptSubnetMask, mask),
				layers.NewDHCPOption(layers.DHCPOptRouter, router[:]),
				layers.NewDHCPOption(layers.DHCPOptDNS, dns[:]),
			},
		}
	}
	return nil
}

func dhcpKind(d *layers.DHCPv4) layers.DHCPMsgType {
	for _, o := range d.Options {
		if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 {
			return layers.DHCPMsgType(o.Data[0])
		}
	}
	return layers.DHCPMsgTypeUnspecified
}

func dhcpBytes(d *layers.DHCPv4) []byte {
	b := gopacket.NewSerializeBuffer()
	if err := d.SerializeTo(b, gopacket.SerializeOptions{FixLengths: true}); err != nil {
		panic(err) // messages of the lab are shorter than a buffer
	}
	return b.Bytes()
}

// dhcp gets the machine's address from the server, and renews it while the machine runs.
func (m *machine) dhcp(own netns.Machine) error {
	mac, err := net.ParseMAC(own.MAC)
	if err != nil {
		return err
	}
	ack, err := m.bound(mac)
	if err != nil {
		return err
	}
	ip, _ := netip.AddrFromSlice(ack.YourClientIP.To4())
	for _, args := range [][]string{{"addr", "replace", netip.PrefixFrom(ip, netns.PrefixLength).String(), "dev", "eth0"}, {"route", "replace", "default", "via", netns.Address(netns.Router).String()}} {
		if out, err := exec.CommandContext(m.ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip.AsSlice(), Port: dhcpClientPort})
	if err != nil {
		return err
	}
	context.AfterFunc(m.ctx, func() { _ = c.Close() })
	m.every(leaseTime/2, func(context.Context) error {
		q := m.ask(layers.DHCPMsgTypeRequest, mac)
		q.ClientIP = ip.AsSlice()
		if _, err := c.WriteTo(dhcpBytes(q), net.UDPAddrFromAddrPort(netip.AddrPortFrom(netns.Address(netns.DNS), dhcpServerPort))); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(leaseTime / 4)); err != nil {
			return err
		}
		_, _, err := c.ReadFrom(make([]byte, 1500)) // the acknowledgement
		return err
	})
	return nil
}

// ask returns a client message.
func (m *machine) ask(kind layers.DHCPMsgType, mac net.HardwareAddr) *layers.DHCPv4 {
	return &layers.DHCPv4{
		Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: rand.Uint32(), ClientHWAddr: mac, Options: layers.DHCPOptions{
			layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)}),
			layers.NewDHCPOption(layers.DHCPOptHostname, []byte(m.name)),
			layers.NewDHCPOption(layers.DHCPOptClassID, []byte("MSFT 5.0")),
			layers.NewDHCPOption(layers.DHCPOptParamsRequest, []byte{1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252}),
		},
	}
}

// bound runs DISCOVER, OFFER, REQUEST and ACK, and returns the ACK. It uses a raw socket, because the machine has no address yet.
func (m *machine) bound(mac net.HardwareAddr) (*layers.DHCPv4, error) {
	fd, err := netns.PacketSocket("eth0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return nil, err
	}
	q := m.ask(layers.DHCPMsgTypeDiscover, mac)
	offer, err := m.exchange(fd, q, layers.DHCPMsgTypeOffer)
	if err != nil {
		return nil, err
	}
	q.Options[0] = layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(layers.DHCPMsgTypeRequest)})
	q.Options = append(q.Options, layers.NewDHCPOption(layers.DHCPOptRequestIP, offer.YourClientIP.To4()))
	return m.exchange(fd, q, layers.DHCPMsgTypeAck)
}

// exchange broadcasts a message repeatedly until the answer arrives.
func (m *machine) exchange(fd int, q *layers.DHCPv4, want layers.DHCPMsgType) (*layers.DHCPv4, error) {
	q.Flags = 1 << 15 // broadcast: the machine has no address yet
	b := gopacket.NewSerializeBuffer()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IPv4zero, DstIP: net.IPv4bcast}
	udp := &layers.UDP{SrcPort: dhcpClientPort, DstPort: dhcpServerPort}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		return nil, err
	}
	ether := &layers.Ethernet{SrcMAC: q.ClientHWAddr, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeIPv4}
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ether, ip, udp, q); err != nil {
		return nil, err
	}
	for range 20 {
		if _, err := unix.Write(fd, b.Bytes()); err != nil {
			return nil, err
		}
		if a := m.receive(fd, q.Xid, want); a != nil {
			return a, nil
		}
		if m.ctx.Err() != nil {
			return nil, m.ctx.Err()
		}
	}
	return nil, errors.New("no DHCP server answers")
}

// receive reads frames until the answer arrives. It returns nil after a time-out.
func (m *machine) receive(fd int, xid uint32, want layers.DHCPMsgType) *layers.DHCPv4 {
	buf := make([]byte, 1<<16)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return nil
		}
		p := gopacket.NewPacket(buf[:n], layers.LayerTypeEthernet, gopacket.NoCopy)
		if a, ok := p.Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4); ok && a.Operation == layers.DHCPOpReply && a.Xid == xid && dhcpKind(a) == want {
			return a
		}
	}
	return nil
}
