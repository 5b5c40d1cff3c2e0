// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"net"
	"sync"
	"time"
)

// joined sends SSH_MSG_NEWKEYS together with the next message (SSH_MSG_EXT_INFO, RFC 8308 section 2.4), like OpenSSH. The
// library writes them separately, and on a busy machine the client's next message may arrive between them.
type joined struct {
	net.Conn
	mu   sync.Mutex
	held []byte
	over bool
}

// patience limits how long NEWKEYS waits for a next message.
const joinWithin = 50 * time.Millisecond

// Write implements net.Conn.
func (c *joined) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const number, newKeys = 5, 21 // of the first message in a packet that is not encrypted yet (RFC 4253 section 6)
	if !c.over && len(p) > number && p[number] == newKeys {
		c.over = true
		c.held = append(c.held, p...)
		time.AfterFunc(joinWithin, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			_ = c.flush() // the next write or read returns the error
		})
		return len(p), nil
	}
	if len(c.held) == 0 {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	return len(p), c.flush()
}

func (c *joined) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	c.held = nil
	return err
}
