// SPDX-License-Identifier: Apache-2.0

package netsim

import "time"

// Pair is a user name and password.
type Pair struct{ User, Password string }

// Telnet is a login dialogue over an open connection to port 23.
type Telnet struct{ c *Conn }

// DialTelnet opens port 23; the server negotiates options (RFC 854) and asks for a login.
func (n *Net) DialTelnet(at time.Time, client, server *Host, banner string) *Telnet {
	c := n.Dial(at, client, server, 23)
	c.Reply([]byte{255, 253, 1, 255, 253, 31, 255, 251, 1, 255, 251, 3}) // DO ECHO, DO NAWS, WILL ECHO, WILL SGA
	c.Send([]byte{255, 252, 1, 255, 252, 31, 255, 253, 1, 255, 253, 3})
	c.Reply([]byte("\r\n" + banner + "\r\nlogin: "))
	return &Telnet{c}
}

// Try sends a user name and password. The server answers a wrong pair with "Login incorrect" and a new prompt, a right one with the
// greeting and prompt of the shell.
func (t *Telnet) Try(p Pair, ok bool, greeting string) *Telnet {
	think := func() { t.c.now = t.c.now.Add(t.c.net.Between(90*time.Millisecond, 250*time.Millisecond)) }
	think()
	t.c.Send([]byte(p.User + "\r\n"))
	t.c.Reply([]byte(p.User + "\r\n"))
	t.c.Reply([]byte("Password: "))
	think()
	t.c.Send([]byte(p.Password + "\r\n"))
	t.c.Reply([]byte("\r\n"))
	if ok {
		t.c.Wait(60 * time.Millisecond).Reply([]byte(greeting))
		return t
	}
	t.c.Wait(1500 * time.Millisecond).Reply([]byte("Login incorrect\r\nlogin: "))
	return t
}

// Run types a command; the server echoes it and answers with out and the prompt.
func (t *Telnet) Run(cmd, out, prompt string) *Telnet {
	t.c.Wait(t.c.net.Between(400*time.Millisecond, 1500*time.Millisecond))
	t.c.Send([]byte(cmd + "\r\n"))
	t.c.Reply([]byte(cmd + "\r\n" + out + prompt))
	return t
}

// Conn returns the connection.
func (t *Telnet) Conn() *Conn { return t.c }
