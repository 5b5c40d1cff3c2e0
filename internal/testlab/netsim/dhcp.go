// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Lease is the content of a DHCP client's messages. Params is option 55; zero values omit an option.
type Lease struct {
	Hostname, VendorClass string
	Params                []byte
	Seconds               uint32 // 86400 if zero
}

// DHCPBoot adds discover, offer, request, ack (RFC 2131 section 3.1).
func (n *Net) DHCPBoot(at time.Time, client, server *Host, l Lease) time.Time {
	xid := n.rng.Uint32()
	any := &Host{IP: netip.MustParseAddr("0.0.0.0"), MAC: client.MAC, Stack: client.Stack}
	all := group("255.255.255.255")
	steps := []struct {
		typ      layers.DHCPMsgType
		src, dst *Host
	}{
		{layers.DHCPMsgTypeDiscover, any, all}, {layers.DHCPMsgTypeOffer, server, client},
		{layers.DHCPMsgTypeRequest, any, all}, {layers.DHCPMsgTypeAck, server, client},
	}
	for _, s := range steps {
		n.dhcp(at, s.typ, xid, s.src, s.dst, client, server, l)
		at = at.Add(n.jitter(2 * time.Millisecond))
	}
	return at
}

// DHCPRenew adds the unicast request and ack of a renewal (RFC 2131 section 4.4.5).
func (n *Net) DHCPRenew(at time.Time, client, server *Host, l Lease) time.Time {
	xid := n.rng.Uint32()
	n.dhcp(at, layers.DHCPMsgTypeRequest, xid, client, server, client, server, l)
	at = at.Add(n.jitter(time.Millisecond))
	n.dhcp(at, layers.DHCPMsgTypeAck, xid, server, client, client, server, l)
	return at
}

func (n *Net) dhcp(at time.Time, typ layers.DHCPMsgType, xid uint32, src, dst, client, server *Host, l Lease) {
	reply := typ == layers.DHCPMsgTypeOffer || typ == layers.DHCPMsgTypeAck
	d := &layers.DHCPv4{Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: xid, ClientHWAddr: client.MAC}
	u := &layers.UDP{SrcPort: 68, DstPort: 67}
	switch {
	case reply:
		d.Operation, d.YourClientIP = layers.DHCPOpReply, client.IP.AsSlice()
		u.SrcPort, u.DstPort = 67, 68
	case src.IP == client.IP:
		d.ClientIP = client.IP.AsSlice() // renewing
	}
	d.Options = n.dhcpOptions(typ, reply, src.IP == client.IP, client, server, l)
	buf := gopacket.NewSerializeBuffer()
	if err := d.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true}); err != nil {
		panic("netsim: dhcp: " + err.Error())
	}
	n.transport(at, 0, src, dst, layers.IPProtocolUDP, u, buf.Bytes())
}

func (n *Net) dhcpOptions(typ layers.DHCPMsgType, reply, renew bool, client, server *Host, l Lease) layers.DHCPOptions {
	secs := l.Seconds
	if secs == 0 {
		secs = 86400
	}
	o := layers.DHCPOptions{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(typ)})}
	if reply {
		return append(o,
			layers.NewDHCPOption(layers.DHCPOptServerID, server.IP.AsSlice()),
			layers.NewDHCPOption(layers.DHCPOptLeaseTime, binary.BigEndian.AppendUint32(nil, secs)),
			layers.NewDHCPOption(layers.DHCPOptSubnetMask, []byte{255, 255, 0, 0}),
			layers.NewDHCPOption(layers.DHCPOptRouter, server.IP.AsSlice()))
	}
	if typ == layers.DHCPMsgTypeRequest && !renew {
		o = append(o, layers.NewDHCPOption(layers.DHCPOptRequestIP, client.IP.AsSlice()),
			layers.NewDHCPOption(layers.DHCPOptServerID, server.IP.AsSlice()))
	}
	if l.Hostname != "" {
		o = append(o, layers.NewDHCPOption(layers.DHCPOptHostname, []byte(l.Hostname)))
	}
	if l.VendorClass != "" {
		o = append(o, layers.NewDHCPOption(layers.DHCPOptClassID, []byte(l.VendorClass)))
	}
	if len(l.Params) > 0 {
		o = append(o, layers.NewDHCPOption(layers.DHCPOptParamsRequest, l.Params))
	}
	return o
}
