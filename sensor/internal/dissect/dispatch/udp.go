// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/database"
	"stillwatch/sensor/internal/dissect/directory"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/industrial"
	"stillwatch/sensor/internal/dissect/lan"
	"stillwatch/sensor/internal/dissect/messaging"
	"stillwatch/sensor/internal/dissect/quic"
	"stillwatch/sensor/internal/dissect/recognize"
	"stillwatch/sensor/internal/dissect/remote"
	"stillwatch/sensor/internal/dissect/tls"
	"stillwatch/sensor/internal/dissect/tunnel"
)

// datagramProtocols lists the protocols over UDP, the most specific ones first. The first one that fits decides.
var datagramProtocols = []datagramProtocol{
	datagram("dhcp", "\x01\x02", nil, lan.LooksDHCP, lan.NewDHCP),
	datagram("dtls", "\x14\x18", nil, tls.LooksDTLS, tls.NewDTLS),
	datagram("stun", "\x00\x3f", nil, recognize.LooksSTUN, recognize.NewSTUN),
	datagram("dhip", "\x20\x20", nil, camera.LooksDHIPDatagram, camera.DHIPDiscovery.New),
	datagram("xmeye", "\xff\xff", nil, camera.LooksXMEyeDatagram, camera.XMEyeDiscovery.New),
	datagram("dvrip", "\xa3\xa3\xb3\xb3", nil, camera.LooksDVRIPDatagram, camera.DVRIPDiscovery.New),
	datagram("foscam", "MM", nil, camera.LooksFoscam, camera.Foscam.New),
	datagram("sony", "\x02\x02", nil, camera.LooksSony, camera.Sony.New),
	datagram("hanwha", "\x0b\x0b", nil, camera.LooksHanwha, camera.Hanwha.New),
	datagram("bosch", "\x99\x99<<", nil, camera.LooksBosch, camera.Bosch.New),
	datagram("edimax", "<C", nil, camera.LooksEdimax, camera.Edimax.New),
	datagram("vivotek", "", nil, camera.LooksVivotek, camera.Vivotek.New),
	datagram("panasonic", "\x00\x00", []uint16{10669, 10670}, camera.LooksPanasonic, camera.Panasonic.New),
	datagram("ubiquiti", "\x01\x02", []uint16{10001}, camera.LooksUbiquiti, camera.Ubiquiti.New),
	datagram("mndp", "\x00\xff", []uint16{5678}, lan.LooksMNDP, lan.MNDP.New),
	datagram("ssdp", "HHMN", nil, http.LooksSSDP, http.SSDP.New),
	datagram("wsd", "\n\n\r\r  <<\xef\xef", nil, http.LooksWSDiscovery, http.WSDiscovery.New),
	datagram("sadp", "<<", nil, camera.LooksSADP, camera.SADP.New),
	datagram("bittorrent", "BB", nil, recognize.LooksLocalPeers, nil),
	datagram("bjnp", "BBMM", nil, lan.LooksBJNP, lan.BJNP.New),
	datagram("kasa", "\xd0\xd0", nil, camera.LooksKasa, camera.Kasa.New),
	datagram("mgcp", "AZ", nil, recognize.LooksMGCP, nil),
	datagram("ipmi", "\x06\x06", nil, recognize.LooksIPMI, nil),
	datagram("dropbox", "{{", []uint16{17500}, recognize.LooksDropbox, nil),
	datagram("natpmp", "\x00\x02", []uint16{5350, 5351}, recognize.LooksNATPMP, nil),
	datagram("stun", "\x00\x01", []uint16{3478}, recognize.LooksOldSTUN, nil),
	datagram("rip", "\x01\x02", []uint16{520, 521}, recognize.LooksRIP, nil),
	datagram("l2tp", "\xc8\xc8", []uint16{1701}, recognize.LooksL2TP, nil),
	datagram("sip", "\r\rAZhh", nil, http.LooksSIPDatagram, http.NewSIPDatagrams),
	datagram("snmp", "00", nil, lan.LooksSNMP, lan.NewSNMP),
	datagram("dhcpv6", "", []uint16{546, 547}, lan.LooksDHCPv6, lan.NewDHCPv6),
	datagram("nbns", "", []uint16{137}, dns.LooksNBNS, lan.NBNS.New),
	datagram("nbdgm", "\x10\x16", []uint16{138}, lan.LooksNBDGM, lan.NBDGM.New),
	datagram("ike", "", []uint16{500, 4500}, tunnel.LooksIKE, nil),
	datagram("radius", "", []uint16{1812, 1813, 1645, 1646, 3799}, directory.LooksRADIUS, nil),
	datagram("enip", "", []uint16{44818}, industrial.LooksENIPDatagram, industrial.NewENIPDatagrams),
	datagram("hsrp", "", []uint16{1985}, recognize.LooksHSRP, nil),
	datagram("capwap", "", []uint16{5246}, recognize.LooksCAPWAP, nil),
	datagram("ptp", "", []uint16{319, 320}, recognize.LooksPTP, nil),
	datagram("hartip", "\x01\x02", []uint16{5094}, industrial.LooksHARTIPDatagram, nil),
	datagram("fins", "\x80\xc1", []uint16{9600}, industrial.LooksFINSDatagram, nil),
	datagram("memcached", "", []uint16{11211}, database.LooksMemcachedDatagram, nil),
	datagram("coap", "\x40\x7f", []uint16{5683}, messaging.LooksCoAP, nil),
	datagram("dcerpc", "\x04\x04", nil, lan.LooksDCERPCDatagram, nil),
	datagram("ldp", "\x00\x00", nil, recognize.LooksLDP, nil),
	datagram("synchrophasor", "\xaa\xaa", nil, industrial.LooksSynchrophasorDatagram, nil),
	datagram("dnp3", "\x05\x05", nil, industrial.LooksDNP3Datagram, nil),
	datagram("enip", "\x02\x02", nil, industrial.LooksCIPIO, nil),
	datagram("knx", "\x06\x06", nil, industrial.LooksKNXDatagram, nil),
	datagram("bacnet", "\x81\x81", nil, industrial.LooksBACnet, industrial.BACnet.New),
	datagram("sflow", "\x00\x00", nil, recognize.LooksSFlow, nil),
	datagram("netflow", "\x00\x00", nil, recognize.LooksNetFlow, nil),
	datagram("ipfix", "\x00\x00", nil, recognize.LooksIPFIX, nil),
	datagram("wireguard", "\x01\x02", nil, tunnel.LooksWireGuard, nil),
	datagram("openvpn", "\x38\x38\x40\x40\x50\x50", nil, tunnel.LooksOpenVPN, tunnel.NewOpenVPN),
	datagram("rdp", "\xff\xff", nil, remote.LooksRDPUDP, remote.NewRDPUDP),
	datagram("tuya", "\x00\x00", nil, camera.LooksTuya, camera.Tuya.New),
	datagram("pppp", "\xf1\xf1", []uint16{32100, 32108}, camera.LooksPPPP, camera.PPPP.New),
	datagram("pppp", "\xf1\xf1", nil, camera.LooksPPPPSession, camera.PPPP.New),
	datagram("bittorrent", "dd", nil, recognize.LooksDHT, nil),
	datagram("kerberos", "jm~~", nil, directory.LooksKerberos, nil),
	datagram("syslog", "<<", nil, recognize.LooksSyslog, nil),
	datagram("tftp", "\x00\x00", nil, recognize.LooksTFTP, nil),
	datagramOf("mdns", "", []uint16{5353}, dns.LooksMessage, (*Conversation).newMDNS),
	datagramOf("llmnr", "", []uint16{5355}, dns.LooksMessage, (*Conversation).newLLMNR),
	datagramOf("dns", "", nil, dns.LooksMessage, (*Conversation).newDNS),
	datagram("ntp", "", nil, lan.LooksNTP, lan.NewNTP),
	datagram("nfs", "", nil, recognize.LooksNFSDatagram, nil),
	datagram("portmap", "", nil, recognize.LooksPortmapDatagram, nil),
	datagram("rpc", "", nil, recognize.LooksRPCDatagram, nil),
	datagram("rtcp", "\x80\xbf", nil, recognize.LooksRTCP, recognize.NewRTCP),
	datagram("quic", "", nil, quic.Looks, quic.New),
}

// datagramOrder holds, for each first byte, the entries that such a datagram may fit, in order: index 0 those that fit
// any ports, index 1 also those that are bound to ports.
var datagramOrder = [2][256][]*datagramProtocol{orderDatagrams(false), orderDatagrams(true)}

func orderDatagrams(bound bool) (order [256][]*datagramProtocol) {
	for i := range datagramProtocols {
		id := &datagramProtocols[i]
		for c := range order {
			if id.takes(byte(c)) && (bound || len(id.where) == 0) {
				order[c] = append(order[c], id)
			}
		}
	}
	return order
}

// boundPorts is a bit set of the ports to which some entry is bound.
var boundPorts = bindPorts()

func bindPorts() (bits [1 << 16 / 64]uint64) {
	for i := range datagramProtocols {
		for _, port := range datagramProtocols[i].where {
			bits[port/64] |= 1 << (port % 64)
		}
	}
	return bits
}

// candidates returns the entries that data may fit. data must not be empty.
func candidates(data []byte, ports dissect.Ports) []*datagramProtocol {
	bound := boundPorts[ports.Client/64]>>(ports.Client%64) | boundPorts[ports.Server/64]>>(ports.Server%64)
	return datagramOrder[bound&1][data[0]]
}
