// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"strings"
	"time"
)

// SSHSoftware is the cleartext part of one side of an SSH session.
type SSHSoftware struct {
	Banner                string
	Kex, HostKey, Ciphers string
	MACs, Compression     string
	AuthMethods           string // server: the list in a failure message
	ExtInfo               bool   // server: sends EXT_INFO after NEWKEYS (RFC 8308)
}

// OpenSSHClient returns OpenSSH 9.6 with chacha20-poly1305.
func OpenSSHClient() SSHSoftware {
	return SSHSoftware{Banner: "SSH-2.0-OpenSSH_9.6", Kex: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ext-info-c",
		HostKey: "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512", Ciphers: "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
		MACs: "umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com", Compression: "none,zlib@openssh.com"}
}

// OpenSSHServer returns the server of OpenSSH 9.6.
func OpenSSHServer() SSHSoftware {
	s := OpenSSHClient()
	s.Kex = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256"
	s.AuthMethods, s.ExtInfo = "publickey,password", true
	return s
}

// OldOpenSSHServer returns the server of OpenSSH 7.4.
func OldOpenSSHServer() SSHSoftware {
	s := OpenSSHServer()
	s.Banner = "SSH-2.0-OpenSSH_7.4"
	s.Kex = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha1"
	s.HostKey = "ssh-rsa,ecdsa-sha2-nistp256,ssh-ed25519"
	return s
}

// SSH is a session whose encrypted packets have the sizes of OpenSSH.
type SSH struct {
	c      *Conn
	server SSHSoftware
}

// DialSSH opens a connection and exchanges banners, key exchange and the service request (RFC 4253).
func (n *Net) DialSSH(at time.Time, client, server *Host, port uint16, cs, ss SSHSoftware) *SSH {
	c := n.Dial(at, client, server, port)
	s := &SSH{c: c, server: ss}
	c.Send([]byte(cs.Banner + "\r\n")).Reply([]byte(ss.Banner + "\r\n"))
	c.Reply(plainSSH(n, kexInit(n, ss)))
	c.Send(plainSSH(n, kexInit(n, cs)))
	c.Send(plainSSH(n, append([]byte{30, 0, 0, 0, 32}, n.Bytes(32)...)))
	c.now = c.now.Add(4 * time.Millisecond)
	reply := append(plainSSH(n, kexReply(n)), plainSSH(n, []byte{21})...)
	if ss.ExtInfo {
		reply = append(reply, n.Bytes(sshSize(1+4+4+15+4+160))...)
	}
	c.Reply(reply)
	c.Send(plainSSH(n, []byte{21}))
	s.client(1+4+12, 0) // SERVICE_REQUEST "ssh-userauth"
	s.answer(1+4+12, 0) // SERVICE_ACCEPT: the length A of the inference
	return s
}

// Login sends the request "none" and then as many wrong passwords as failures; ok ends with a right one. Only the length of user matters.
func (s *SSH) Login(user string, failures int, ok bool) *SSH {
	s.client(1+4+len(user)+4+14+4+4, 20*time.Millisecond) // "none"
	s.answer(s.failure(), 3*time.Millisecond)
	for range failures {
		s.password()
		s.answer(s.failure(), s.c.net.Between(1200*time.Millisecond, 2400*time.Millisecond))
	}
	if ok {
		s.password()
		s.answer(1, 90*time.Millisecond) // USERAUTH_SUCCESS: A-16
	}
	return s
}

// Key sends "none" and a public key that the server accepts.
func (s *SSH) Key(user string) *SSH {
	s.client(1+4+len(user)+4+14+4+4, 20*time.Millisecond)
	s.answer(s.failure(), 3*time.Millisecond)
	s.client(1+4+len(user)+4+14+4+9+1+4+11+4+51+4+83, 5*time.Millisecond)
	s.answer(1, 8*time.Millisecond)
	return s
}

// Shell opens a session channel with a terminal, and a first prompt.
func (s *SSH) Shell() *SSH {
	s.client(24, 10*time.Millisecond)
	s.answer(17, 5*time.Millisecond)
	s.client(300, 5*time.Millisecond)
	s.answer(5, 5*time.Millisecond)
	s.answer(120, 40*time.Millisecond)
	return s
}

// Type sends keys one by one, each echoed, and then out bytes of output.
func (s *SSH) Type(keys, out int) *SSH {
	for range keys {
		s.client(1+4+4+1, s.c.net.Between(70*time.Millisecond, 190*time.Millisecond))
		s.answer(1+4+4+1, 0)
	}
	for ; out > 0; out -= 1300 {
		s.answer(9+min(out, 1300), 4*time.Millisecond)
	}
	return s
}

// ChannelData sends k bytes of channel data from one side, in one packet if it fits a segment.
func (s *SSH) ChannelData(from Side, k int) *SSH {
	s.c.Data(from, s.c.net.Bytes(sshSize(9+k)))
	return s
}

// Conn returns the connection.
func (s *SSH) Conn() *Conn { return s.c }

func (s *SSH) client(payload int, after time.Duration) { s.send(Client, payload, after) }
func (s *SSH) answer(payload int, after time.Duration) { s.send(Server, payload, after) }

func (s *SSH) send(from Side, payload int, after time.Duration) {
	s.c.Wait(after).Data(from, s.c.net.Bytes(sshSize(payload)))
}

func (s *SSH) failure() int { return 1 + 4 + len(s.server.AuthMethods) + 1 }

// password returns the size of a password request, which OpenSSH pads to hide the length of the password.
func (s *SSH) password() {
	s.client(115, s.c.net.Between(250*time.Millisecond, 600*time.Millisecond))
}

// sshSize is the size on the wire of a packet under chacha20-poly1305: length, then padding length, payload and at least 4
// bytes of padding to a multiple of 8, then the tag (PROTOCOL.chacha20poly1305 of OpenSSH).
func sshSize(payload int) int { return 4 + (1+payload+4+7)/8*8 + 16 }

// plainSSH is a packet before encryption (RFC 4253 section 6).
func plainSSH(n *Net, payload []byte) []byte {
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(b, byte(pad)), payload...)
	return append(b, n.Bytes(pad)...)
}

func kexInit(n *Net, who SSHSoftware) []byte {
	b := append([]byte{20}, n.Bytes(16)...)
	for _, l := range []string{who.Kex, who.HostKey, who.Ciphers, who.Ciphers, who.MACs, who.MACs, who.Compression, who.Compression, "", ""} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(l)))
		b = append(b, l...)
	}
	return append(b, 0, 0, 0, 0, 0)
}

// kexReply is SSH_MSG_KEX_ECDH_REPLY with an ed25519 host key (RFC 5656, RFC 8709).
func kexReply(n *Net) []byte {
	str := func(parts ...string) string {
		s := strings.Join(parts, "")
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	key := str(str("ssh-ed25519"), str(string(n.Bytes(32))))
	sig := str(str("ssh-ed25519"), str(string(n.Bytes(64))))
	return []byte("\x1f" + key + str(string(n.Bytes(32))) + sig)
}
