// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"time"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// tcpClock is what the time stamps in the SYNs and SYN-ACKs of a device (RFC 7323) say about its clock. Many stacks begin to count when they
// start. Others, such as Linux since 4.10, add a random number for each peer: then no two peers are on one line, and nothing follows.
type tcpClock struct {
	at     int64 // of the first sample, capture clock
	stamp  uint32
	peer   packet.Addr
	hertz  uint16 // 0: not known yet
	onLine uint8  // samples on the line, at most enoughStamps
	other  bool   // one of them to another peer
	random bool   // samples of two peers are on no line
}

const (
	stampApart   = 10 * minute // between the first sample and those that are compared with it
	enoughStamps = 3
	// After its start, Linux counts for five minutes up to the end of the range, so that errors at the end show early. What is that close
	// to the end is not believed.
	stampStart = 600 // seconds
)

// rates are the frequencies with which stacks count time stamps, in Hz.
var rates = [...]uint16{10, 100, 250, 1000}

// rateOf returns the frequency at which a clock counts n in a time, within two percent, 0 if it is none of rates.
func rateOf(n uint32, ns int64) uint16 {
	for _, hz := range rates {
		if want := float64(ns) / 1e9 * float64(hz); float64(n) > 0.98*want && float64(n) < 1.02*want {
			return hz
		}
	}
	return 0
}

// add takes a sample, and returns for how long the device has run at least, 0 if that is not known. A counter of 32 bits that began at 0 begins
// again after 497 days at 100 Hz: the device may have run longer.
func (k *tcpClock) add(at int64, stamp uint32, peer packet.Addr) time.Duration {
	switch {
	case k.random:
		return 0
	case k.at == 0 || at < k.at:
		*k = tcpClock{at: at, stamp: stamp, peer: peer}
		return 0
	case at-k.at < int64(stampApart):
		return 0
	}
	hz := rateOf(stamp-k.stamp, at-k.at)
	if hz == 0 || k.hertz != 0 && hz != k.hertz {
		if peer != k.peer && !k.other {
			k.random = true
			return 0
		}
		*k = tcpClock{at: at, stamp: stamp, peer: peer} // it was restarted
		return 0
	}
	k.hertz, k.other, k.onLine = hz, k.other || peer != k.peer, min(k.onLine+1, enoughStamps)
	left := (1<<32 - 1 - stamp) / uint32(hz)
	if k.onLine < enoughStamps || !k.other || left < stampStart {
		return 0
	}
	return time.Duration(stamp/uint32(hz)) * time.Second
}

func (k *tcpClock) walk(c *snapshot.Codec) {
	c.Time(&k.at)
	snapshot.Number(c, &k.stamp)
	addrKey(c, &k.peer)
	snapshot.Number(c, &k.hertz)
	snapshot.Number(c, &k.onLine)
	c.Bool(&k.other)
	c.Bool(&k.random)
}

// stamped reports a device whose TCP has counted since a start that is long ago.
func (u *unmaintained) stamped(e *Event, c *Context) {
	d, peer := e.Initiator, e.Session.Responder.Addr
	if e.Stack.Answer {
		d, peer = e.Responder, e.Session.Initiator.Addr
	}
	if d == nil || e.Stamp == 0 {
		return
	}
	up := u.clocks.put(d.ID, c.Now).add(e.Time, e.Stamp, peer)
	if days := int64(up / (24 * time.Hour)); days > int64(u.p.UptimeDays) {
		since := time.Unix(0, e.Time).Add(-up).UTC().Format(time.DateOnly)
		u.report(e, c, d, flaw{"uptime", "", "it has run since " + since,
			fmt.Sprintf("it has not restarted since %s, by the time stamps of its TCP", since), Low})
	}
}
