// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// What devices tell their neighbors on the link, and what must follow. The sender is the device, whatever chassis it names.
func TestNeighborsIdentifyThemselves(t *testing.T) {
	ios := "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE2, RELEASE SOFTWARE (fc1)"
	for _, tt := range []struct {
		info                    dissect.DeviceInfo
		role                    Role
		vendor, model, firmware string
	}{
		{dissect.DeviceInfo{Protocol: "cdp", Name: "sw", Class: "bridge", Model: "cisco WS-C2960-24TT-L", Description: ios, Firmware: "12.2(25)SEE2"}, NetworkGear, "Cisco", "WS-C2960-24TT-L", "12.2(25)SEE2"},
		{dissect.DeviceInfo{Protocol: "cdp", Name: "sw", Class: "telephone,station", Model: "Cisco IP Phone 7960"}, Phone, "Cisco", "IP Phone 7960", ""},
		{dissect.DeviceInfo{Protocol: "lldp", Name: "sw", Class: "bridge,router", Description: "MikroTik RouterOS 6.48.6 (long-term) RB750Gr3"}, NetworkGear, "MikroTik", "RB750Gr3", "6.48.6"},
		{dissect.DeviceInfo{Protocol: "lldp", Name: "sw", Class: "bridge,telephone", Vendor: "Polycom", Model: "VVX 310", Firmware: "5.9"}, Phone, "Polycom", "VVX 310", "5.9"},
		{dissect.DeviceInfo{Protocol: "lldp", Name: "sw", Class: "station", Description: "AXIS P3225-LV Mk II Network Camera"}, Camera, "Axis", "P3225-LV", ""},
		{dissect.DeviceInfo{Protocol: "lldp", Name: "sw", Class: "bridge,wlan_ap,router,station"}, Unknown, "", "", ""}, // a computer with the daemon
		{dissect.DeviceInfo{Protocol: "edp", Name: "sw", Firmware: "12.5.3.4"}, NetworkGear, "Extreme Networks", "", "12.5.3.4"},
		{dissect.DeviceInfo{Protocol: "fdp", Name: "sw", Class: "router", Model: "FES2402"}, NetworkGear, "Foundry Networks", "FES2402", ""},
	} {
		r := New(Config{})
		d := r.Link(&dissect.NeighborMessage{DeviceInfo: tt.info, EtherSrc: noBrand}, sec)
		if d == nil || d.MAC != noBrand || d.Role != tt.role || d.Vendor != tt.vendor || d.Model != tt.model || d.Firmware != tt.firmware || !slices.Contains(d.Hostnames, "sw") {
			t.Errorf("%+v:\n%+v", tt.info, d)
		}
	}
	if d := New(Config{}).Link(&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Protocol: "lldp"}}, sec); d != nil {
		t.Errorf("a frame without a sender made %+v", d)
	}
}

// What devices say of themselves in answers over SNMP, SMB and HTTP, and what must follow.
func TestAnswersOfServices(t *testing.T) {
	for _, tt := range []struct {
		info                    dissect.DeviceInfo
		role                    Role
		vendor, model, firmware string
	}{
		{dissect.DeviceInfo{Protocol: "ipp", Vendor: "Brother", Model: "HL-L2350DW", Firmware: "1.74"}, Printer, "Brother", "HL-L2350DW", "1.74"},
		{dissect.DeviceInfo{Protocol: "upnp", Class: "urn:schemas-upnp-org:device:InternetGatewayDevice:1", Vendor: "NETGEAR, Inc.", Model: "R7000"}, NetworkGear, "NETGEAR", "R7000", ""},
		{dissect.DeviceInfo{Protocol: "snmp", Class: "1.3.6.1.4.1.39165.1", Vendor: "Hikvision", Model: "DS-2CD"}, Camera, "Hikvision", "DS-2CD", ""},
		{dissect.DeviceInfo{Protocol: "snmp", Class: "1.3.6.1.4.1.9.1.516", Vendor: "Cisco", Firmware: "15.0(2)SE"}, NetworkGear, "Cisco", "", "15.0(2)SE"},
		{dissect.DeviceInfo{Protocol: "snmp", Class: "1.3.6.1.4.1.1602.4.7", Vendor: "Canon", Description: "Canon iR-ADV C5235 /P"}, Printer, "Canon", "iR-ADV C5235", ""},
		{dissect.DeviceInfo{Protocol: "snmp", Class: "1.3.6.1.4.1.8072.3.2.10"}, Unknown, "", "", ""},
		{dissect.DeviceInfo{Protocol: "smb", Class: "SMB1_only"}, Unknown, "", "", ""},
		{dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "pc", Firmware: "10.0.17763"}, Unknown, "", "", "10.0.17763"},
	} {
		_, d := answer(tt.info)
		if d.Role != tt.role || d.Vendor != tt.vendor || d.Model != tt.model || d.Firmware != tt.firmware {
			t.Errorf("%+v:\n%v %v %q %q %q", tt.info, d.Role, d.Level, d.Vendor, d.Model, d.Firmware)
		}
	}
}

// An answer of SNMP over UDP is a proof, a trap is not: anybody can forge it.
func TestAnswerOverUDP(t *testing.T) {
	for _, dir := range []session.Dir{session.In, session.Out} {
		r := New(Config{})
		k := talk{from: "10.0.0.9", to: "10.0.0.7", fromMAC: mac(9), toMAC: noBrand, port: 161, proto: protoUDP, answered: true}
		client, d := play(r, k)
		speaker, source := d, "answer"
		if dir == session.Out {
			speaker, source = client, "discovery_unchecked"
		}
		r.Fact(k.view(), &dissect.DeviceInfo{Protocol: "snmp", Vendor: "Cisco", Name: "sw1"}, dir, client, d, sec)
		has := slices.ContainsFunc(speaker.Evidence, func(e Evidence) bool { return e.Source == source })
		if speaker.Vendor != "Cisco" || !slices.Contains(speaker.Hostnames, "sw1") || !has {
			t.Errorf("direction %d: %q %v %+v", dir, speaker.Vendor, speaker.Hostnames, speaker.Evidence)
		}
	}
}

// Of NTLM the client says who it is, too. Other facts of a connection are about its server.
func TestNTLMOfTheClient(t *testing.T) {
	r := New(Config{})
	k := talk{from: "10.0.0.9", to: "10.0.0.7", fromMAC: mac(9), toMAC: noBrand, port: 445, answered: true}
	client, server := play(r, k)
	r.Fact(k.view(), &dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "PC1", Firmware: "10.0.22631"}, session.Out, client, server, sec)
	r.Fact(k.view(), &dissect.DeviceInfo{Protocol: "smb", Class: "SMB1", Description: "Unix Samba 3.0.20"}, session.Out, client, server, sec)
	if client.Firmware != "10.0.22631" || server.Firmware != "" || len(server.Hostnames) > 0 || !slices.Equal(client.Hostnames, []string{"PC1"}) {
		t.Errorf("client %q %v, server %q %v", client.Firmware, client.Hostnames, server.Firmware, server.Hostnames)
	}
}

// Names count if they are those of the sender: a name server answers for others, and mDNS caches of others repeat their addresses.
func TestOwnNames(t *testing.T) {
	r := New(Config{})
	own, other := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")
	k := talk{from: "10.0.0.7", to: "10.0.0.255", fromMAC: noBrand, toMAC: packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, port: 137, proto: protoUDP}
	d, _ := play(r, k)
	for name, ip := range map[string]netip.Addr{"MINE": own, "OTHER": other} {
		r.Fact(k.view(), &dissect.DeviceInfo{Protocol: "nbns", Name: name, IP: ip}, session.Out, d, nil, sec)
	}
	r.Fact(k.view(), &dissect.DNSMessage{Response: true, MDNS: true, Answers: []dissect.DNSAnswer{{Name: "door.local", Type: "A", Addr: own}, {Name: "gate.local", Type: "A", Addr: other}}}, session.Out, d, nil, sec)
	r.Fact(k.view(), &dissect.DNSMessage{Response: true, Answers: []dissect.DNSAnswer{{Name: "dns.example", Type: "A", Addr: own}}}, session.Out, d, nil, sec)
	if !slices.Equal(d.Hostnames, []string{"MINE", "door"}) {
		t.Errorf("%v", d.Hostnames)
	}
}

// A device announces its firmware by mDNS, and its vendor by an enterprise number in DHCP.
func TestFirmwareAndEnterpriseAnnounced(t *testing.T) {
	r := New(Config{})
	k := talk{from: "10.0.0.7", to: "224.0.0.251", fromMAC: noBrand, toMAC: packet.MAC{1, 0, 0x5e, 0, 0, 0xfb}, port: 5353, proto: protoUDP}
	d, _ := play(r, k)
	r.Fact(k.view(), &dissect.ServiceAnnouncement{Service: "_ipp._tcp", Instance: "P", TXT: map[string]string{"ty": "P 1", "fv": "2.1"}}, session.Out, d, nil, sec)
	r.Fact(k.view(), &dissect.DHCPv6Message{Type: "solicit", Vendor: "MikroTik"}, session.Out, d, nil, sec)
	if d.Model != "P 1" || d.Firmware != "2.1" || d.Vendor != "MikroTik" {
		t.Errorf("%q %q %q", d.Model, d.Firmware, d.Vendor)
	}
	r.Fact(k.view(), &dissect.DHCPMessage{Type: "discover", ClientMAC: noBrand, Vendor: "Axis"}, session.Out, d, nil, sec)
	if !slices.ContainsFunc(d.Evidence, func(e Evidence) bool { return e.Value == "enterprise Axis" }) {
		t.Errorf("%+v", d.Evidence)
	}
}
