// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

func view() *session.View {
	return &session.View{ID: 1, Start: begin, End: begin + second, Proto: 6, HasPorts: true,
		Initiator: session.Endpoint{Addr: packet.AddrOf(netip.MustParseAddr("10.0.0.5")), MAC: packet.MAC{2, 0, 0, 0, 0, 5}, Port: 40000},
		Responder: session.Endpoint{Addr: packet.AddrOf(netip.MustParseAddr("198.51.100.1")), Port: 443},
		Packets:   [2]uint64{3, 2}, State: session.Established}
}

func record(t *testing.T, v *session.View, app *fingerprint.App) string {
	t.Helper()
	s := SessionRecord(v, app)
	line := schemas.AppendSession(nil, &s)
	if err := schemas.Validate(schemas.KindSession, line); err != nil {
		t.Errorf("%v\n%s", err, line)
	}
	return string(line)
}

func contains(t *testing.T, line string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(line, p) {
			t.Errorf("%s is not in\n%s", p, line)
		}
	}
}

func TestSessionRecordOfEveryProtocolAndState(t *testing.T) {
	for p, name := range map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp", 47: "47", 255: "255"} {
		for s := session.Attempted; s <= session.OneWay; s++ {
			for b := session.BasisSYN; b <= session.BasisPort; b++ {
				v := view()
				v.Proto, v.State, v.Basis, v.HasPorts = p, s, b, p == 6 || p == 17 || p == 132
				line := record(t, v, nil)
				contains(t, line, `"proto":"`+name+`"`, `"state":"`+s.String()+`"`, `"initiator_basis":"`+b.String()+`"`)
				if v.HasPorts != strings.Contains(line, `"port":`) {
					t.Errorf("%s: %s", name, line)
				}
			}
		}
	}
}

func TestSessionRecordOfTunnels(t *testing.T) {
	v := view()
	v.NumVLANs, v.VLANs = 2, [packet.MaxVLANs]uint16{10, 4095}
	for k := packet.TunnelGRE; k <= packet.TunnelPBB; k++ {
		v.Tunnels = append(v.Tunnels[:0:0], packet.Tunnel{Type: k, HasID: true, HasOuter: true, Src: packet.AddrOf(netip.MustParseAddr("192.0.2.1")),
			Dst: packet.AddrOf(netip.MustParseAddr("192.0.2.2"))})
		contains(t, record(t, v, nil), `"vlans":[10,4095]`, `"id":0`, `"outer_src":"192.0.2.1"`)
	}
	v.Tunnels = []packet.Tunnel{{Type: packet.TunnelMPLS}}
	contains(t, record(t, v, nil), `"encap":[{"type":"mpls"}]`)
	v.Tunnels = []packet.Tunnel{{Type: packet.TunnelERSPAN, HasID: true, ID: 5, VLAN: 100}}
	contains(t, record(t, v, nil), `"encap":[{"type":"erspan","id":5,"vlan":100}]`)
	v.Tunnels = []packet.Tunnel{{Type: 200}, {}}
	if s := SessionRecord(v, nil); len(s.Encap) != 0 {
		t.Error(s.Encap)
	}
}

func TestSessionRecordOfApplications(t *testing.T) {
	hex32 := strings.Repeat("0a", 16)
	for _, c := range []struct {
		name string
		app  *fingerprint.App
		want []string
	}{
		{"tls", &fingerprint.App{Name: "tls", Hello: &fingerprint.Hello{SNI: "a.example", ALPN: []string{"h2"}, JA3: hex32, JA4: "t13"},
			ServerHello: &fingerprint.ServerHello{Version: 0x0304, JA3S: hex32}, Cert: &dissect.TLSCertificate{Subject: "CN=a", SHA256: strings.Repeat("ab", 32), NotAfter: time.Unix(0, 0)}},
			[]string{`"tls":{"sni":"a.example","version":"1.3","alpn":["h2"],"ja3":"` + hex32, `"cert_not_after":"1970-01-01T00:00:00.000000000Z"`}},
		{"quic", &fingerprint.App{Name: "quic", Hello: &fingerprint.Hello{}}, []string{`"quic":{}`}},
		{"ssh", &fingerprint.App{SSH: &fingerprint.SSH{Client: "SSH-2.0-x", Auth: &dissect.SSHAuth{}}}, []string{`"auth":"unknown","auth_failures":0`}},
		{"http", &fingerprint.App{HTTP: &dissect.HTTPExchange{Method: "GET", Status: 401, AuthScheme: "basic", AuthResult: dissect.OutcomeFailure}}, []string{`"status":401`, `"auth_result":"failure"`}},
		{"http of no sense", &fingerprint.App{HTTP: &dissect.HTTPExchange{Status: -7}}, []string{`"http":{}`}},
		{"rtsp", &fingerprint.App{RTSP: &dissect.RTSPExchange{Method: "DESCRIBE"}}, []string{`"rtsp":{"method":"DESCRIBE"}`}},
		{"dns", &fingerprint.App{DNSQuery: &dissect.DNSMessage{QName: "a.example", QType: "A"}, DNSAnswer: &dissect.DNSMessage{RCode: "NOERROR",
			Answers: []dissect.DNSAnswer{{Data: "192.0.2.1"}, {}}}}, []string{`"dns":{"qname":"a.example","qtype":"A","rcode":"NOERROR","answers":["192.0.2.1"]}`}},
		{"question only", &fingerprint.App{DNSQuery: &dissect.DNSMessage{QName: "a"}}, []string{`"dns":{"qname":"a"}`}},
	} {
		t.Run(c.name, func(t *testing.T) { contains(t, record(t, view(), c.app), c.want...) })
	}
}

func TestTLSVersions(t *testing.T) {
	for v, want := range map[uint16]string{0x300: "ssl3", 0x301: "1.0", 0x302: "1.1", 0x303: "1.2", 0x304: "1.3", 0x7f1c: "1.3", 0xfeff: "dtls1.0",
		0xfefd: "dtls1.2", 0xfefc: "dtls1.3", 0x1234: ""} {
		if got := (&fingerprint.ServerHello{Version: v}).VersionName(); got != want {
			t.Errorf("%#x: %q", v, got)
		}
	}
	if got := (&fingerprint.ServerHello{SSL2: true}).VersionName(); got != "ssl2" {
		t.Error(got)
	}
}

func TestIPv4MappedAddressOfIPv6IsKept(t *testing.T) {
	v := view()
	v.V6 = true
	contains(t, record(t, v, nil), `"ip":"::ffff:198.51.100.1"`)
}

func TestDeviceRecord(t *testing.T) {
	d := dev(1)
	book := contract.New(nil, contract.Config{})
	check := func() string {
		r := DeviceRecord(d, book, begin)
		line, err := schemas.AppendDevice(nil, &r)
		if err == nil {
			err = schemas.Validate(schemas.KindDevice, line)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		return string(line)
	}
	contains(t, check(), `"role":"unknown"`, `"expect":"normal"`)
	if strings.Contains(check(), "last_origination") || strings.Contains(check(), "expect_source") {
		t.Error("a field that is not known is there")
	}
	d.LastOrigination, d.Role, d.Level, d.Probability = begin, device.Camera, device.Identified, 0.995
	d.Evidence = []device.Evidence{{Source: "oui", Value: "", Says: "vendor=Axis", Points: 12}}
	d.Serves = []device.Serve{{Port: 554, Proto: "tcp", App: "rtsp", External: true}}
	r := DeviceRecord(d, book, begin, schemas.DeviceFinding{Kind: "exposed_admin_port", Text: "x"})
	if len(r.Findings) != 1 {
		t.Error(r.Findings)
	}
	contains(t, check(), `"role":"camera","role_level":"identified"`, `"last_origination"`, `"points_db":12`, `"external":true`)
}

// Numbers are written with four decimals, so that they are the same on every machine.
func TestNumbersAreRounded(t *testing.T) {
	d := &device.Device{Key: "k", Probability: 0.93749999999999989, Evidence: []device.Evidence{{Source: "oui", Value: "v", Says: "s", Points: 12.300000000000001}}}
	r := DeviceRecord(d, contract.New(nil, contract.Config{}), 0)
	if r.RoleProbability != 0.9375 || r.Evidence[0].PointsDB != 12.3 {
		t.Errorf("%v, %v", r.RoleProbability, r.Evidence[0].PointsDB)
	}
}
