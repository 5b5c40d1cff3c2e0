// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// After a finding of high severity the kernel copies every packet of the session for fullCaptureTime nanoseconds, instead of counts once a
// second. At most maxFullCaptures sessions are copied at once, so that a flood of findings cannot fill the ring buffer.
const (
	fullCaptureTime = 60e9
	maxFullCaptures = 256
)

// fullCapture requests full copies of sessions. The zero value, for sources that always copy every packet, does nothing.
type fullCapture struct {
	src      capture.Copier
	sessions []fullSession // by the time at which they end
	started  uint64
	failed   uint64 // refused by the source, or too many at once
}

// fullSession is a session that the kernel copies in full until a time of the capture clock.
type fullSession struct {
	endpoints [2]session.Endpoint
	proto     uint8
	until     int64
}

// begin requests a full copy of the session of a severe finding.
func (c *fullCapture) begin(f *detect.Finding, now int64) {
	if f.Severity >= detect.High {
		c.request(f.Session, maxFullCaptures, now)
	}
}

// maxSuspects of the full copies at once may be of sessions that are compared to find a relay (D11).
const maxSuspects = maxFullCaptures / 2

// suspect requests full copies of two sessions to be compared: the counts of the kernel, once a second, show no bursts.
func (c *fullCapture) suspect(near, far *session.View, now int64) {
	c.request(near, maxSuspects, now)
	c.request(far, maxSuspects, now)
}

// request requests a full copy of a session unless there are limit of them.
func (c *fullCapture) request(v *session.View, limit int, now int64) {
	if c.src == nil || v == nil || !v.HasPorts {
		return
	}
	x := fullSession{[2]session.Endpoint{{Addr: v.Initiator.Addr, Port: v.Initiator.Port}, {Addr: v.Responder.Addr, Port: v.Responder.Port}}, v.Proto, now + fullCaptureTime}
	for i := range c.sessions {
		if y := &c.sessions[i]; y.endpoints == x.endpoints && y.proto == x.proto {
			return
		}
	}
	if len(c.sessions) >= limit || c.set(&x, true) != nil {
		c.failed++
		return
	}
	c.sessions = append(c.sessions, x)
	c.started++
}

// tick ends the captures whose time is over.
func (c *fullCapture) tick(now int64) {
	for len(c.sessions) > 0 && c.sessions[0].until <= now {
		if c.set(&c.sessions[0], false) != nil {
			c.failed++
		}
		c.sessions = c.sessions[1:]
	}
}

func (c *fullCapture) set(x *fullSession, on bool) error {
	return c.src.FullCopy(x.endpoints[0].Addr, x.endpoints[1].Addr, x.endpoints[0].Port, x.endpoints[1].Port, x.proto, on)
}
