// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// The account of the idle server, which password guessing finds.
const (
	LegacyUser     = "root"
	LegacyPassword = "summer2019"
)

var errWrong = errors.New("wrong password")

// shell runs a command line and returns the exit status.
type shell func(line string, out io.Writer) int

// sshd serves SSH on an address. If run is nil every login fails. Otherwise the account may run command lines and forward connections, as
// OpenSSH allows by default.
func (m *machine) sshd(address string, run shell) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	c := &ssh.ServerConfig{ServerVersion: "SSH-2.0-OpenSSH_9.6", MaxAuthTries: 6,
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if run != nil && meta.User() == LegacyUser && string(password) == LegacyPassword {
				return &ssh.Permissions{}, nil
			}
			pause(m.ctx, 200*time.Millisecond) // the delay of each attempt
			return nil, errWrong
		}}
	c.AddHostKey(signer)
	return m.listen(address, func(conn net.Conn) {
		s, channels, requests, err := ssh.NewServerConn(&joined{Conn: conn}, c)
		if err != nil {
			return // a login that failed
		}
		defer func() { _ = s.Close() }()
		go ssh.DiscardRequests(requests)
		for ch := range channels {
			switch ch.ChannelType() {
			case "session":
				go m.session(ch, run)
			case "direct-tcpip":
				go m.forward(ch)
			default:
				_ = ch.Reject(ssh.UnknownChannelType, "not here") // the connection may be over
			}
		}
	})
}

// session runs the line of an exec request (RFC 4254 section 6.5).
func (m *machine) session(n ssh.NewChannel, run shell) {
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	for r := range requests {
		var line struct{ Text string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &line) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		status := struct{ Status uint32 }{uint32(run(line.Text, ch))}
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

// forward copies data between a channel and a connection of this machine (RFC 4254 section 7.2).
func (m *machine) forward(n ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		From     string
		FromPort uint32
	}
	if err := ssh.Unmarshal(n.ExtraData(), &to); err != nil {
		_ = n.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	address := net.JoinHostPort(to.Host, fmt.Sprint(to.Port))
	if ip, err := lookup(m.ctx, to.Host); err == nil {
		address = net.JoinHostPort(ip.String(), fmt.Sprint(to.Port))
	}
	conn, err := net.DialTimeout("tcp4", address, 800*time.Millisecond)
	if err != nil {
		_ = n.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer func() { _ = conn.Close() }()
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer func() { _ = ch.Close() }()
	go ssh.DiscardRequests(requests)
	done := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // either end may go at any time
		done <- struct{}{}
	}
	go pipe(conn, ch)
	go pipe(ch, conn)
	<-done
}
