// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Camera is what a camera or recorder announces about itself.
type Camera struct {
	Model, Serial, Firmware string // Firmware as the vendor writes it: "V3.5.38build 191215"
	Channels                int    // digital channels: more than 0 is a recorder
	Boot                    string // "2026-02-20 08:11:09"
	NotActivated            bool
}

// SADPProbe adds the search of a Hikvision tool: an inquiry to 239.255.255.250:37020.
func (n *Net) SADPProbe(at time.Time, who *Host) time.Time {
	body := fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>%s</Uuid><Types>inquiry</Types></Probe>`, n.uuid())
	return n.Multicast(at, who, 37020, "239.255.255.250", 37020, []byte(body))
}

// SADPMatch adds a device's answer to the same group.
func (n *Net) SADPMatch(at time.Time, h *Host, c Camera) time.Time {
	mac := strings.ReplaceAll(h.MAC.String(), ":", "-")
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><ProbeMatch><Uuid>%s</Uuid><Types>inquiry</Types><DeviceType>139</DeviceType>`, n.uuid())
	fmt.Fprintf(&b, `<DeviceDescription>%s</DeviceDescription><DeviceSN>%s</DeviceSN><CommandPort>8000</CommandPort><HttpPort>80</HttpPort>`, c.Model, c.Serial)
	fmt.Fprintf(&b, `<MAC>%s</MAC><IPv4Address>%s</IPv4Address><IPv4SubnetMask>255.255.0.0</IPv4SubnetMask><IPv4Gateway>10.20.1.1</IPv4Gateway><DHCP>true</DHCP>`, mac, h.IP)
	fmt.Fprintf(&b, `<AnalogChannelNum>0</AnalogChannelNum><DigitalChannelNum>%d</DigitalChannelNum><SoftwareVersion>%s</SoftwareVersion>`, c.Channels, c.Firmware)
	fmt.Fprintf(&b, `<BootTime>%s</BootTime><Activated>%t</Activated><PasswordResetAbility>true</PasswordResetAbility></ProbeMatch>`, c.Boot, !c.NotActivated)
	return n.Multicast(at, h, 37020, "239.255.255.250", 37020, []byte(b.String()))
}

// DHIPProbe adds the search of a Dahua tool, sent to 239.255.255.251:37810.
func (n *Net) DHIPProbe(at time.Time, who *Host) time.Time {
	return n.Multicast(at, who, n.ephemeral(who.IP), "239.255.255.251", 37810, dhip(`{"method":"DHDiscover.search","params":{"mac":"","uni":1}}`+"\n"))
}

// DHIPNotify adds a device's announcement, with its firmware version and build date.
func (n *Net) DHIPNotify(at time.Time, h *Host, c Camera) time.Time {
	body := fmt.Sprintf(`{"mac":"%s","method":"client.notifyDevInfo","params":{"deviceInfo":{"DeviceClass":"IPC","DeviceType":"%s","HttpPort":80,`+
		`"IPv4Address":{"DefaultGateway":"10.20.1.1","DhcpEnable":true,"IPAddress":"%s","SubnetMask":"255.255.0.0"},`+
		`"MachineName":"%s","Port":37777,"SerialNo":"%s","Vendor":"Dahua","Version":"%s"}}}`+"\n", h.MAC, c.Model, h.IP, h.Name, c.Serial, c.Firmware)
	return n.Multicast(at, h, 37810, "239.255.255.251", 37810, dhip(body))
}

// dhip prepends the 32-byte header: 0x20, "DHIP", lengths little-endian at offsets 16 and 24.
func dhip(body string) []byte {
	b := make([]byte, 32)
	b[0] = 0x20
	copy(b[4:], "DHIP")
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(body)))
	return append(b, body...)
}

// SOAP returns the envelope of an ONVIF call. With a token, the header has a UsernameToken with a cleartext password (PasswordText).
func SOAP(body string, token *Pair) string {
	head := ""
	if token != nil {
		head = fmt.Sprintf(`<s:Header><Security xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">`+
			`<UsernameToken><Username>%s</Username><Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText">%s</Password></UsernameToken></Security></s:Header>`,
			token.User, token.Password)
	}
	return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">` + head + `<s:Body>` + body + `</s:Body></s:Envelope>`
}

// PTZMove returns the ONVIF ContinuousMove request for a speed. auth may be nil.
func PTZMove(pan, tilt string, auth Auth) Request {
	return Request{Method: "POST", URI: "/onvif/ptz_service", Auth: auth,
		Header: []string{`Content-Type: application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver20/ptz/wsdl/ContinuousMove"`},
		Body: SOAP(`<ContinuousMove xmlns="http://www.onvif.org/ver20/ptz/wsdl"><ProfileToken>Profile_1</ProfileToken><Velocity><PanTilt x="`+
			pan+`" y="`+tilt+`" xmlns="http://www.onvif.org/ver10/schema"/></Velocity></ContinuousMove>`, nil)}
}

// ISAPIMove returns the ISAPI request for a continuous move.
func ISAPIMove(pan, tilt int, auth Auth) Request {
	return Request{Method: "PUT", URI: "/ISAPI/PTZCtrl/channels/1/continuous", Auth: auth, Header: []string{"Content-Type: application/xml"},
		Body: fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><PTZData><pan>%d</pan><tilt>%d</tilt></PTZData>`, pan, tilt)}
}

func (n *Net) uuid() string {
	b := n.Bytes(16)
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
