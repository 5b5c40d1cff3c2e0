// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// lab is a small network that has one of each.
func lab(seed uint64) (n *Net, cam, srv, far *Host) {
	n = New(seed)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	cam = n.Host("cam", "10.20.30.11", "44:19:b6:00:00:11", Embedded)
	srv = n.Host("srv", "10.20.10.17", "b8:ca:3a:00:00:17", Linux)
	far = n.External("203.0.113.66", Linux, 40*time.Millisecond)
	return n, cam, srv, far
}

// everything uses every method once.
func everything(seed uint64) *Net {
	n, cam, srv, far := lab(seed)
	t := monday
	n.ARP(t, cam, srv)
	n.DHCPBoot(t, cam, srv, Lease{Hostname: "cam", VendorClass: "dhcpcd", Params: []byte{1, 3, 6}})
	n.DHCPRenew(t.Add(time.Hour), cam, srv, Lease{})
	n.NTP(t, cam, srv)
	n.Lookup(t, cam, srv, "ntp.example.net", "10.20.1.123")
	n.Lookup(t, cam, srv, "gone.example.net")
	n.MDNSAnnounce(t, cam, "_axis-video._tcp.local", "AXIS M1065", "axis.local", 80, "macaddress=ACCC8E000001")
	n.SADPProbe(t, srv)
	n.SADPMatch(t, cam, Camera{Model: "DS-2CD2043G2-I", Serial: "X1", Firmware: "V5.7.3build 250311"})
	n.DHIPProbe(t, srv)
	n.DHIPNotify(t, cam, Camera{Model: "IPC-HFW1230S", Serial: "Y1", Firmware: "2.800.0000.25.R,2025-02-11"})
	n.RTSP(t, srv, cam, Stream{Path: "/live", Agent: "rec/1", Realm: "cam", User: "op", Password: "pw", Packets: 5, KeepAlive: true})
	n.RTSP(t, srv, cam, Stream{Path: "/live", Agent: "rec/1", Realm: "cam", User: "op", Password: "pw", Basic: true, WrongPassword: true})
	c := n.Dial(t, far, cam, 80)
	c.HTTPDigest(ISAPIMove(30, 0, nil), "cam", "op", "pw", Response{Status: 200, Server: "App-webs/"})
	c.HTTP(PTZMove("0.5", "0", Basic("op", "pw")), Response{Status: 200, Body: "<ok/>"}).Resend()
	c.Close()
	n.DialTelnet(t, far, cam, "cam").Try(Pair{"a", "b"}, false, "").Try(Pair{"a", "c"}, true, "# ").Run("id", "uid=0\r\n", "# ").Conn().CloseBy(Server)
	n.FTP(t, far, srv, "ready", Pair{"a", "b"}, false).Abort(Client)
	n.DialSSH(t, far, srv, 22, OpenSSHClient(), OldOpenSSHServer()).Login("root", 2, true).Shell().Type(4, 3000).ChannelData(Client, 900).Conn().Close()
	n.DialTLS(t, srv, far, 443, TLSClient{SNI: "a.example.com", Grease: true, ALPN: []string{"h2"}}, TLSServer{Version: 0x0304}).Records(Client, 40000).Close()
	cert := n.Certificate("b.example.com", monday, 24*time.Hour)
	n.DialTLS(t, srv, far, 443, TLSClient{SNI: "b.example.com"}, TLSServer{Version: 0x0303, Cert: cert, ALPNName: "http/1.1"}).Bulk(Client, 60000, time.Second, 8).Close()
	n.ARPSweep(t, srv, "10.20.30.8/29", time.Millisecond, []*Host{cam})
	n.Scan(t, srv, "10.20.30.8/29", []uint16{22, 80}, time.Millisecond, []*Host{cam}, func(_ *Host, p uint16) bool { return p == 80 })
	n.ICMPSweep(t, srv, "10.20.30.8/29", time.Millisecond, []*Host{cam})
	n.Unanswered(t, srv, far, 4444, 3)
	n.MiraiSYN(t, cam, far, 23)
	return n
}

func TestSameSeedSameBytes(t *testing.T) {
	sum := func(seed uint64) [32]byte {
		var b bytes.Buffer
		k, err := everything(seed).WriteTo(&b)
		if err != nil || k != int64(b.Len()) {
			t.Fatalf("WriteTo: %d of %d bytes, %v", k, b.Len(), err)
		}
		return sha256.Sum256(b.Bytes())
	}
	first, again := sum(1), sum(1)
	if first != again {
		t.Error("the same seed gave other bytes")
	}
	if first == sum(2) {
		t.Error("another seed gave the same bytes")
	}
}

func TestFramesDecodeInOrder(t *testing.T) {
	n := everything(3)
	decode(t, n)
	var b bytes.Buffer
	if _, err := n.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	var last time.Time
	for range n.Frames() {
		_, ci, err := r.ReadPacketData()
		if err != nil || ci.Timestamp.Before(last) {
			t.Fatalf("%v after %v: %v", ci.Timestamp, last, err)
		}
		last = ci.Timestamp
	}
}

func TestStreamsHaveNoGaps(t *testing.T) {
	var all strings.Builder
	for _, s := range streams(t, everything(4)) {
		all.Write(s)
	}
	for _, want := range []string{"PLAY rtsp://10.20.30.11:554/live/", "PTZCtrl/channels/1/continuous", "ContinuousMove", "uid=0", "530 Login"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("no stream carries %q", want)
		}
	}
}

func TestChecksums(t *testing.T) {
	for i, p := range decode(t, everything(5)) {
		// Serialising again with checksums computed must give the same bytes.
		if p.NetworkLayer() == nil || p.TransportLayer() == nil || p.Layer(layers.LayerTypeDNS) != nil {
			continue
		}
		ip := p.NetworkLayer().(*layers.IPv4)
		var l4 gopacket.SerializableLayer
		switch l := p.TransportLayer().(type) {
		case *layers.TCP:
			_ = l.SetNetworkLayerForChecksum(ip)
			l4 = l
		case *layers.UDP:
			_ = l.SetNetworkLayerForChecksum(ip)
			l4 = l
		}
		buf := gopacket.NewSerializeBuffer()
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{ComputeChecksums: true}, p.LinkLayer().(*layers.Ethernet), ip, l4,
			gopacket.Payload(p.TransportLayer().LayerPayload()))
		if err != nil || !bytes.Equal(buf.Bytes()[14:], p.Data()[14:]) {
			t.Fatalf("frame %d: checksum differs (%v)", i, err)
		}
	}
}

// serverSizes returns the sizes of the server's segments after the first encrypted packet of the client.
func serverSizes(t *testing.T, n *Net) []int {
	var sizes []int
	encrypted := false
	for _, p := range decode(t, n) {
		tcp := p.TransportLayer().(*layers.TCP)
		switch {
		case len(tcp.Payload) == 0:
		case tcp.DstPort == 22 && len(tcp.Payload) == 44:
			encrypted = true
		case tcp.SrcPort == 22 && encrypted:
			sizes = append(sizes, len(tcp.Payload))
		}
	}
	return sizes
}

func TestSSHSizesTellTheResult(t *testing.T) {
	for _, tc := range []struct {
		name     string
		failures int
		ok       bool
		want     []int
	}{
		{"failures only", 3, false, []int{44, 52, 52, 52, 52}},
		{"success at once", 0, true, []int{44, 52, 28}},
		{"success after two", 2, true, []int{44, 52, 52, 52, 28}},
	} {
		n, _, srv, far := lab(1)
		n.DialSSH(monday, far, srv, 22, OpenSSHClient(), OpenSSHServer()).Login("root", tc.failures, tc.ok).Conn().Close()
		got := serverSizes(t, n)
		if len(got) != len(tc.want) {
			t.Errorf("%s: sizes %v, want %v", tc.name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: sizes %v, want %v", tc.name, got, tc.want)
			}
		}
	}
}

func TestCertificateParses(t *testing.T) {
	n := New(1)
	c, err := x509.ParseCertificate(n.Certificate("b.example.com", monday, time.Hour))
	if err != nil || c.Subject.CommonName != "b.example.com" || !c.NotAfter.Equal(monday.Add(time.Hour)) {
		t.Fatalf("certificate: %v, %v", c, err)
	}
}

func TestExternalHostsHaveTheRoutersMAC(t *testing.T) {
	n, cam, _, far := lab(1)
	n.Dial(monday, far, cam, 80).Close()
	for _, p := range decode(t, n) {
		eth, ip := p.LinkLayer().(*layers.Ethernet), p.NetworkLayer().(*layers.IPv4)
		inward := ip.DstIP.String() == "10.20.30.11"
		if inward != (eth.SrcMAC.String() == "00:1b:54:00:00:01") || inward != (ip.TTL < 64) {
			t.Fatalf("%v > %v from %v, ttl %d", ip.SrcIP, ip.DstIP, eth.SrcMAC, ip.TTL)
		}
	}
}

func TestSnapKeepsTheWireLength(t *testing.T) {
	n, _, srv, far := lab(1)
	n.Dial(monday, srv, far, 443).Snap(96).Bulk(Client, 14480, time.Second, 4).Snap(0).Close()
	wire := 0
	for _, f := range n.Frames() {
		if len(f.Data) > 96 {
			t.Fatalf("%d bytes kept", len(f.Data))
		}
		wire += f.Len
	}
	if wire < 14480+10*66 {
		t.Errorf("%d bytes on the wire", wire)
	}
}

func TestMiraiSequenceIsTheDestination(t *testing.T) {
	n, cam, _, far := lab(1)
	n.MiraiSYN(monday, cam, far, 23)
	tcp := decode(t, n)[0].TransportLayer().(*layers.TCP)
	if tcp.Seq != 203<<24|0<<16|113<<8|66 || len(tcp.Options) != 0 || !tcp.SYN {
		t.Errorf("SYN %v, seq %#x, options %v", tcp.SYN, tcp.Seq, tcp.Options)
	}
}

func TestIPv6(t *testing.T) {
	n := New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	a := n.Host("a", "2001:db8:1::5", "ac:1f:6b:00:00:05", Linux)
	b := n.External("2001:db8:ffff::9", Windows, 10*time.Millisecond)
	n.Dial(monday, a, b, 80).HTTP(Request{Method: "GET", URI: "/"}, Response{Status: 200, Body: strings.Repeat("x", 5000)}).Close()
	for _, s := range streams(t, n) {
		if len(s) > 0 && !strings.Contains(string(s), "HTTP/1.1") {
			t.Errorf("stream %q", s)
		}
	}
}
