// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
)

// The data behind an event was written long ago or by another processor. The correlator prefetches it some events ahead, one pointer of the
// chain after the other, so that memory latency overlaps with its work. This affects speed only.
const (
	prefetchFirst  = 12 // what the event points to
	prefetchSecond = 8  // what that points to
	prefetchThird  = 4
)

// prefetch requests the memory that the events after event i need.
func (c *correlator) prefetch(i int) {
	if e := c.eventAt(i + prefetchFirst); e != nil {
		cacheline.Prefetch(unsafe.Pointer(e.Session), 3)
		if e.App != nil {
			cacheline.Prefetch(unsafe.Pointer(e.App), 1)
		}
		switch f := e.Fact.(type) {
		case *dissect.DNSMessage:
			cacheline.Prefetch(unsafe.Pointer(f), 1)
		case *dissect.TLSClientHello:
			cacheline.Prefetch(unsafe.Add(unsafe.Pointer(f), unsafe.Offsetof(f.SNI)), 1)
		case *dissect.HTTPExchange:
			cacheline.Prefetch(unsafe.Pointer(f), 2)
		}
	}
	if e := c.eventAt(i + prefetchSecond); e != nil {
		if e.Kind == detect.SessionEnded && e.App != nil && e.App.Hello != nil {
			cacheline.Prefetch(unsafe.Add(unsafe.Pointer(e.App.Hello), unsafe.Offsetof(e.App.Hello.SNI)), 1)
		}
		if v := e.Session; v != nil {
			c.reg.Prefetch(&v.Initiator.Addr, false)
			c.reg.Prefetch(&v.Responder.Addr, false)
		}
		switch f := e.Fact.(type) {
		case *dissect.DNSMessage:
			cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(f.QName)), 1)
		case *dissect.TLSClientHello:
			cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(f.SNI)), 1)
		}
	}
	if e := c.eventAt(i + prefetchThird); e != nil && e.Session != nil {
		c.reg.Prefetch(&e.Session.Initiator.Addr, true)
		c.reg.Prefetch(&e.Session.Responder.Addr, true)
		if e.Kind == detect.SessionEnded && e.App != nil && e.App.Hello != nil {
			cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(e.App.Hello.SNI)), 1)
		}
	}
}

// eventAt returns event i of the block, nil if there is none.
func (c *correlator) eventAt(i int) *ordered {
	if uint(i) < uint(len(c.merged)) {
		return c.merged[i]
	}
	return nil
}
