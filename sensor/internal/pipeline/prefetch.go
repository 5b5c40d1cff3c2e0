// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
)

// What an event points to was written long ago, or by another processor. The judge asks for it some events ahead, one link of the chain
// after the other, so that the waits for memory overlap with its work. Nothing that can be seen depends on it.
const (
	prefetchFirst  = 9 // what the event points to
	prefetchSecond = 6 // what that points to
	prefetchThird  = 3
)

// ahead asks for what will be needed after event i.
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
		switch f := e.Fact.(type) {
		case *dissect.DNSMessage:
			cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(f.QName)), 1)
		case *dissect.TLSClientHello:
			cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(f.SNI)), 1)
		}
	}
	if e := c.eventAt(i + prefetchThird); e != nil && e.Kind == detect.SessionEnded && e.App != nil && e.App.Hello != nil {
		cacheline.Prefetch(unsafe.Pointer(unsafe.StringData(e.App.Hello.SNI)), 1)
	}
}

// later gives an event of the block, nil if there is none with that number.
func (c *correlator) eventAt(i int) *ordered {
	if uint(i) < uint(len(c.merged)) {
		return c.merged[i]
	}
	return nil
}
