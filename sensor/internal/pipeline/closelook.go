// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// A session about which there is a finding of high severity is handed on whole for lookFor nanoseconds: its packets then come with their own
// times instead of sums once a second. At most maxLooks sessions are, so that a flood of findings cannot fill the way from the kernel.
const (
	lookFor  = 60e9
	maxLooks = 256
)

// closeLook has sessions handed on whole. The zero value, of a source that does so anyway, does nothing.
type closeLook struct {
	src    capture.Copier
	looks  []look // in the order in which they end
	begun  uint64
	failed uint64 // refused by the source, or too many at once
}

type look struct {
	ends  [2]session.Endpoint
	proto uint8
	until int64
}

func (c *closeLook) begin(f *detect.Finding, now int64) {
	v := f.Session
	if c.src == nil || v == nil || !v.HasPorts || f.Severity < detect.High {
		return
	}
	x := look{[2]session.Endpoint{{Addr: v.Initiator.Addr, Port: v.Initiator.Port}, {Addr: v.Responder.Addr, Port: v.Responder.Port}}, v.Proto, now + lookFor}
	for i := range c.looks {
		if y := &c.looks[i]; y.ends == x.ends && y.proto == x.proto {
			return
		}
	}
	if len(c.looks) >= maxLooks || c.set(&x, true) != nil {
		c.failed++
		return
	}
	c.looks = append(c.looks, x)
	c.begun++
}

// tick ends what is due.
func (c *closeLook) tick(now int64) {
	for len(c.looks) > 0 && c.looks[0].until <= now {
		if c.set(&c.looks[0], false) != nil {
			c.failed++
		}
		c.looks = c.looks[1:]
	}
}

func (c *closeLook) set(x *look, on bool) error {
	return c.src.FullCopy(x.ends[0].Addr, x.ends[1].Addr, x.ends[0].Port, x.ends[1].Port, x.proto, on)
}
