// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshTalk records a connection between real ends until the client is authenticated or gives up. Every write is a segment.
func sshTalk(t testing.TB, client *ssh.ClientConfig, server *ssh.ServerConfig) []turn {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	server.AddHostKey(signer)
	client.HostKeyCallback = ssh.InsecureIgnoreHostKey()
	a, b, tap := tapLoopback(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, _, _, err := ssh.NewServerConn(b, server)
		if err == nil {
			_ = c.Close()
		}
		_ = b.Close()
	}()
	c, _, _, err := ssh.NewClientConn(a, "", client)
	if err == nil {
		_ = c.Close()
	}
	_ = a.Close()
	<-done
	return sshServerExtension(tap.turns)
}

// tapLoopback is tapPipe over the loopback interface: both ends of SSH write before they read, which needs a buffer.
func tapLoopback(t testing.TB) (client, server net.Conn, record *tap) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	record = &tap{}
	return tapped{a, FromClient, record}, tapped{b, FromServer, record}, record
}

// sshServerExtension moves SSH_MSG_EXT_INFO, the server's first encrypted packet, to the end of its key exchange, where the
// network has it: here it races with the client's first request.
func sshServerExtension(turns []turn) []turn {
	newKeys := slices.IndexFunc(turns, func(x turn) bool {
		return x.dir == FromServer && len(x.data) > 6 && strings.HasSuffix(x.data[:6], string(rune(sshMsgNewKeys)))
	})
	if newKeys < 0 {
		return turns
	}
	for i := newKeys + 1; i < len(turns); i++ {
		if x := turns[i]; x.dir == FromServer {
			return slices.Insert(slices.Delete(turns, i, i+1), newKeys+1, x)
		}
	}
	return turns
}

// passwords lets a client try one after another.
func passwords(list ...string) ssh.AuthMethod {
	next := 0
	return ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
		next++
		return list[next-1], nil
	}), len(list))
}

func TestSSHLogins(t *testing.T) {
	check := func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) == "right" {
			return nil, nil
		}
		return nil, errors.New("wrong")
	}
	for _, c := range []struct {
		name     string
		auth     []ssh.AuthMethod
		server   ssh.ServerConfig
		result   Outcome
		failures int
	}{
		{"at once", []ssh.AuthMethod{passwords("right")}, ssh.ServerConfig{PasswordCallback: check}, OutcomeSuccess, 0},
		{"third try", []ssh.AuthMethod{passwords("a", "longer-than-the-first", "right")}, ssh.ServerConfig{PasswordCallback: check}, OutcomeSuccess, 2},
		{"never", []ssh.AuthMethod{passwords("a", "b", "c", "d")}, ssh.ServerConfig{PasswordCallback: check}, OutcomeFailure, 4},
		{"nothing offered", nil, ssh.ServerConfig{PasswordCallback: check}, OutcomeUnknown, 0},
		{"no login needed", nil, ssh.ServerConfig{NoClientAuth: true}, OutcomeSuccess, 0},
		{"after a banner", []ssh.AuthMethod{passwords("a", "right")}, ssh.ServerConfig{PasswordCallback: check,
			BannerCallback: func(ssh.ConnMetadata) string { return strings.Repeat("keep out ", 60) }}, OutcomeSuccess, 1},
	} {
		for _, cipher := range []string{"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"} {
			t.Run(c.name+" "+cipher, func(t *testing.T) {
				server := c.server
				config := &ssh.ClientConfig{User: "admin", Auth: c.auth, ClientVersion: "SSH-2.0-test_1.0"}
				config.Ciphers = []string{cipher}
				if c.auth != nil {
					config.Auth = []ssh.AuthMethod{passwords(sshPasswordsOf(c.failures, c.result)...)}
				}
				facts := play(t, Ports{Client: 40000, Server: 22}, sshTalk(t, config, &server), 0)
				checkSSH(t, facts, c.result, c.failures)
			})
		}
	}
}

// sshPasswordsOf gives as many wrong passwords as are to fail, then the right one if the login is to succeed.
func sshPasswordsOf(failures int, result Outcome) []string {
	list := make([]string, failures, failures+1)
	for i := range list {
		list[i] = strings.Repeat("no", i)
	}
	if result == OutcomeSuccess {
		list = append(list, "right")
	}
	return list
}

func checkSSH(t *testing.T, facts []Fact, result Outcome, failures int) {
	t.Helper()
	if name := appOf(facts); name != "ssh" {
		t.Errorf("application %q", name)
	}
	banners, offers, auth := factsOf[SSHBanner](facts), factsOf[SSHKexInit](facts), factsOf[SSHAuth](facts)
	if len(banners) != 2 || !slices.Contains(banners, SSHBanner{false, "SSH-2.0-test_1.0"}) || !slices.Contains(banners, SSHBanner{true, "SSH-2.0-Go"}) {
		t.Errorf("banners %+v", banners)
	}
	if len(offers) != 2 || offers[0].Server == offers[1].Server {
		t.Fatalf("offers %+v", offers)
	}
	for _, o := range offers {
		if !strings.Contains(o.Kex, "curve25519-sha256") || o.HostKey == "" || o.EncC2S == "" || o.MACS2C == "" || o.CompressionS2C != "none" {
			t.Errorf("offer %+v", o)
		}
	}
	last := SSHAuth{}
	if len(auth) > 0 {
		last = auth[len(auth)-1]
	}
	if last != (SSHAuth{result, failures}) {
		t.Errorf("login %+v, want %v after %d failures", auth, result, failures)
	}
}

// sshPacket wraps a payload as RFC 4253 section 6 has it, in clear.
func sshPacket(payload string) string {
	const padding = 4
	n := 1 + len(payload) + padding
	return string([]byte{0, 0, byte(n >> 8), byte(n), padding}) + payload + "pppp"
}

// sshOffer makes SSH_MSG_KEXINIT with the given compressions.
func sshOffer(compression string) string { return sshOfferOf("aes128-ctr", "hmac-sha1", compression) }

func sshOfferOf(cipher, mac, compression string) string {
	payload := string(rune(sshMsgKexInit)) + strings.Repeat("c", 16)
	for _, list := range []string{"kex", "key", cipher, cipher, mac, mac, compression, compression, "", ""} {
		payload += string([]byte{0, 0, 0, byte(len(list))}) + list
	}
	return sshPacket(payload + "\x00\x00\x00\x00\x00")
}

func TestSSHLines(t *testing.T) {
	for _, c := range []struct {
		name   string
		turns  []turn
		want   []SSHBanner
		offers int
	}{
		{"line end of one character", []turn{client("SSH-2.0-C\n" + sshOffer("none"))}, []SSHBanner{{false, "SSH-2.0-C"}}, 1},
		{"SSH 1", []turn{server("SSH-1.5-S\n"), client("SSH-1.5-C\n\x00\x00\x00\x10packet of SSH 1")}, []SSHBanner{{true, "SSH-1.5-S"}, {false, "SSH-1.5-C"}}, 0},
		{"client of SSH 1 at a server of both", []turn{server("SSH-1.99-S\r\n"), client("SSH-1.5-C\r\n"), server("\x00\x00\x01\x0bpublic key of SSH 1")},
			[]SSHBanner{{true, "SSH-1.99-S"}, {false, "SSH-1.5-C"}}, 0},
		{"both speak SSH 2", []turn{server("SSH-1.99-S\r\n"), client("SSH-2.0-C\r\n" + sshOffer("none")), server(sshOffer("none"))},
			[]SSHBanner{{true, "SSH-1.99-S"}, {false, "SSH-2.0-C"}}, 2},
		{"line without end", []turn{client("SSH-2.0-" + strings.Repeat("x", 2000))}, nil, 0},
		{"packet too long", []turn{client("SSH-2.0-C\r\n\x7f\xff\xff\xff\x04\x14")}, []SSHBanner{{false, "SSH-2.0-C"}}, 0},
		{"padding longer than the packet", []turn{client("SSH-2.0-C\r\n\x00\x00\x00\x08\xff\x14......" + sshOffer("none"))}, []SSHBanner{{false, "SSH-2.0-C"}}, 0},
		{"name list is cut", []turn{client("SSH-2.0-C\r\n" + sshPacket("\x14"+strings.Repeat("c", 16)+"\x00\x00\x00\x09kex"))}, []SSHBanner{{false, "SSH-2.0-C"}}, 0},
		{"second offer", []turn{client("SSH-2.0-C\r\n" + sshOffer("none") + sshOffer("zlib"))}, []SSHBanner{{false, "SSH-2.0-C"}}, 1},
	} {
		facts := sameHoweverCut(t, Ports{}, c.turns)
		if got := factsOf[SSHBanner](facts); !slices.Equal(got, c.want) {
			t.Errorf("%s: banners %+v", c.name, got)
		}
		if got := factsOf[SSHKexInit](facts); len(got) != c.offers {
			t.Errorf("%s: offers %+v", c.name, got)
		}
	}
}

// A server may send lines before its identification; a client may not.
func TestSSHLinesBefore(t *testing.T) {
	var s sshStream
	var got []SSHBanner
	sink := func(f Fact) {
		if b, ok := f.(*SSHBanner); ok {
			got = append(got, *b)
		}
	}
	s.feed(FromServer, []byte("welcome\r\nto this\r\nSSH-2.0-S comment\r\n"), false, sink)
	if s.feed(FromClient, []byte("hello\r\nSSH-2.0-C\r\n"), false, sink) != 0 {
		t.Error("goes on with a client that does not speak SSH")
	}
	if !slices.Equal(got, []SSHBanner{{true, "SSH-2.0-S comment"}}) {
		t.Errorf("banners %+v", got)
	}
}

// After a gap the sizes of segments tell nothing.
func TestSSHGap(t *testing.T) {
	var s sshStream
	n := 0
	sink := func(f Fact) {
		if _, ok := f.(*SSHAuth); ok {
			n++
		}
	}
	newKeys := sshPacket(string(rune(sshMsgNewKeys)))
	head := []byte("SSH-2.0-S\r\n" + newKeys)
	s.feed(FromServer, head, false, sink)
	s.feed(FromClient, []byte("SSH-2.0-C\r\n"+newKeys), true, sink)
	for _, size := range []int{52, 36} {
		head = append(head, make([]byte, size)...)
		s.feed(FromServer, head, false, sink)
	}
	if n != 0 {
		t.Errorf("%d results after a gap", n)
	}
}

func FuzzSSHStream(f *testing.F) {
	f.Add([]byte("SSH-2.0-C\r\n"+sshOffer("none")+sshPacket(string(rune(sshMsgNewKeys)))+"encrypted"), 5)
	f.Add([]byte("text\r\nSSH-1.99-S\n"+sshOffer("zlib")), 100)
	f.Add([]byte("SSH-1.5-S\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(step&0xff, 1)
		var s sshStream
		wants := [2]int{1, 1}
		for n := 0; n <= len(data); n += step {
			for dir, want := range wants {
				if want == 0 || n < want {
					continue
				}
				wants[dir] = s.feed(dir, data[:n], false, func(Fact) {})
				if wants[dir] != 0 && wants[dir] <= n {
					t.Fatalf("wants %d of %d bytes", wants[dir], n)
				}
			}
		}
		s.feed(FromClient, data, true, func(Fact) {})
		s.feed(FromServer, data, true, func(Fact) {})
	})
}
