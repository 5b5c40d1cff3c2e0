// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"golang.org/x/net/dns/dnsmessage"

	"stillwatch/internal/testlab/netns"
)

// TestDigest checks that the client's answer to the challenge is the one that the server expects.
func TestDigest(t *testing.T) {
	d := newDigest("a realm")
	if got := digestOf(d.challenge()); got != d {
		t.Errorf("read %+v of %s", got, d.challenge())
	}
	const response = "0757058fc14a445d4084d7e25e80a308" // RFC 2069 section 2.4, computed by another program
	if got := (digest{realm: "r", nonce: "n"}).credentials("GET", "/"); !strings.Contains(got, `response="`+response+`"`) {
		t.Error(got)
	}
}

func TestAnswer(t *testing.T) {
	ask := func(name string, kind dnsmessage.Type) dnsmessage.Message {
		q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var a dnsmessage.Message
		if err := a.Unpack(answer(zone(), b)); err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := ask("mail.example.com.", dnsmessage.TypeA)
	if r, ok := a.Answers[0].Body.(*dnsmessage.AResource); !ok || netip.AddrFrom4(r.A).String() != netns.Mail || a.ID != 7 {
		t.Errorf("%+v", a)
	}
	if a := ask("mail.example.com.", dnsmessage.TypeAAAA); len(a.Answers) != 0 || a.RCode != dnsmessage.RCodeSuccess {
		t.Errorf("%+v", a)
	}
	if a := ask("nothing.example.", dnsmessage.TypeA); a.RCode != dnsmessage.RCodeNameError {
		t.Errorf("%+v", a)
	}
	if answer(zone(), []byte("no question")) != nil {
		t.Error("an answer to nothing")
	}
}

// counted counts what is written to a connection.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// TestStream plays a stream over the loopback interface, by both transports.
func TestStream(t *testing.T) {
	for _, udp := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var n atomic.Int64
		go func() {
			c, err := l.Accept()
			if err == nil {
				(&rtspServer{realm: "cam"}).serve(ctx, counted{c, &n})
				_ = c.Close()
			}
		}()
		played := make(chan error, 1)
		go func() {
			played <- record(ctx, netip.MustParseAddrPort(l.Addr().String()), "/live", "test", udp)
		}()
		if udp {
			time.Sleep(200 * time.Millisecond)
		} else {
			for n.Load() < 10*rtpPayload { // more than the exchange before it
				time.Sleep(time.Millisecond)
			}
		}
		select {
		case err := <-played:
			t.Errorf("udp %v: it ended: %v", udp, err)
		default:
		}
		cancel()
		l.Close()
	}
}

func TestStreamWrongPassword(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	go (&rtspServer{realm: "cam"}).serve(t.Context(), b)
	go io.WriteString(a, "DESCRIBE rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"admin\"\r\n\r\n")
	line, err := bufio.NewReader(a).ReadString('\n')
	if err != nil || line != "RTSP/1.0 401 Unauthorized\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestTargets(t *testing.T) {
	got, err := targets("10.0.0.0/30 10.1.1.1")
	if err != nil || len(got) != 4 || got[0] != netip.MustParseAddr("10.0.0.1") || got[3] != netip.MustParseAddr("10.1.1.1") {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := targets("all"); err == nil {
		t.Error("no error")
	}
}

// TestMiraiSYN compares the packet with its signature, and its checksum with RFC 1071.
func TestMiraiSYN(t *testing.T) {
	from, to := netip.MustParseAddr("10.20.30.5"), netip.MustParseAddr("192.0.2.77")
	p := miraiSYN(from, to, 40000, 23)
	if len(p) != 40 || binary.BigEndian.Uint32(p[24:]) != binary.BigEndian.Uint32(p[16:20]) || p[33] != 2 {
		t.Errorf("%x", p)
	}
	sum := uint32(6 + 20)
	for i := 12; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	if netns.Checksum(sum, p[20:]) != 0 {
		t.Errorf("checksum of %x", p)
	}
}

// TestJoined checks that NEWKEYS is sent together with the next message, and alone if there is none.
func TestJoined(t *testing.T) {
	keys := []byte{0, 0, 0, 12, 10, 21, 0, 0}
	for _, behind := range []string{"more", ""} {
		a, b := net.Pipe()
		c := &joined{Conn: a}
		go func() {
			_, _ = c.Write([]byte("SSH-2.0-x\r\n"))
			_, _ = c.Write(keys)
			if behind != "" {
				_, _ = c.Write([]byte(behind))
			}
		}()
		got := make([]byte, 64)
		for _, want := range []string{"SSH-2.0-x\r\n", string(keys) + behind} {
			n, err := b.Read(got)
			if err != nil || string(got[:n]) != want {
				t.Errorf("%q, %v; want %q", got[:n], err, want)
			}
		}
		a.Close()
		b.Close()
	}
}

// TestLeases requests an address for a machine with a lease and for one without.
func TestLeases(t *testing.T) {
	own := netns.MachineOf(netns.Operator)
	mac, err := net.ParseMAC(own.MAC)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{name: own.Name}
	for ask, want := range map[layers.DHCPMsgType]layers.DHCPMsgType{layers.DHCPMsgTypeDiscover: layers.DHCPMsgTypeOffer, layers.DHCPMsgTypeRequest: layers.DHCPMsgTypeAck} {
		q := m.ask(ask, mac)
		a := lease(dhcpBytes(q))
		if a == nil || dhcpKind(a) != want || a.Xid != q.Xid || a.YourClientIP.String() != own.IP.String() {
			t.Errorf("%v is answered with %+v", ask, a)
		}
	}
	for _, q := range []*layers.DHCPv4{m.ask(layers.DHCPMsgTypeRelease, mac), m.ask(layers.DHCPMsgTypeDiscover, net.HardwareAddr{2, 0, 0, 0, 0, 9})} {
		if a := lease(dhcpBytes(q)); a != nil {
			t.Errorf("%+v is answered with %+v", q, a)
		}
	}
	if a := lease([]byte("nothing")); a != nil {
		t.Errorf("%+v", a)
	}
}
