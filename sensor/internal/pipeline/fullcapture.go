// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// A session about which there is a finding of high severity is handed on whole for fullCaptureTime nanoseconds: its packets then come with their own
// times instead of sums once a second. At most maxFullCaptures sessions are, so that a flood of findings cannot fill the way from the kernel.
const (
	fullCaptureTime = 60e9
	maxFullCaptures = 256
)

// fullCapture has sessions handed on whole. The zero value, of a source that does so anyway, does nothing.
type fullCapture struct {
	src      capture.Copier
	sessions []fullSession // in the order in which they end
	started  uint64
	failed   uint64 // refused by the source, or too many at once
}

type fullSession struct {
	ends  [2]session.Endpoint
	proto uint8
	until int64
}

func (c *fullCapture) begin(f *detect.Finding, now int64) {
	v := f.Session
	if c.src == nil || v == nil || !v.HasPorts || f.Severity < detect.High {
		return
	}
	x := fullSession{[2]session.Endpoint{{Addr: v.Initiator.Addr, Port: v.Initiator.Port}, {Addr: v.Responder.Addr, Port: v.Responder.Port}}, v.Proto, now + fullCaptureTime}
	for i := range c.sessions {
		if y := &c.sessions[i]; y.ends == x.ends && y.proto == x.proto {
			return
		}
	}
	if len(c.sessions) >= maxFullCaptures || c.set(&x, true) != nil {
		c.failed++
		return
	}
	c.sessions = append(c.sessions, x)
	c.started++
}

// tick ends what is due.
func (c *fullCapture) tick(now int64) {
	for len(c.sessions) > 0 && c.sessions[0].until <= now {
		if c.set(&c.sessions[0], false) != nil {
			c.failed++
		}
		c.sessions = c.sessions[1:]
	}
}

func (c *fullCapture) set(x *fullSession, on bool) error {
	return c.src.FullCopy(x.ends[0].Addr, x.ends[1].Addr, x.ends[0].Port, x.ends[1].Port, x.proto, on)
}
