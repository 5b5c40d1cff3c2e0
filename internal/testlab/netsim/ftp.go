// SPDX-License-Identifier: Apache-2.0

package netsim

import "time"

// FTP opens the control connection and logs in (RFC 959): 230 if ok, else 530. The connection stays open.
func (n *Net) FTP(at time.Time, client, server *Host, banner string, p Pair, ok bool) *Conn {
	c := n.Dial(at, client, server, 21)
	c.Reply([]byte("220 " + banner + "\r\n"))
	c.Send([]byte("USER " + p.User + "\r\n"))
	c.Reply([]byte("331 Please specify the password.\r\n"))
	c.Send([]byte("PASS " + p.Password + "\r\n"))
	if ok {
		return c.Reply([]byte("230 Login successful.\r\n"))
	}
	return c.Wait(time.Second).Reply([]byte("530 Login incorrect.\r\n"))
}
