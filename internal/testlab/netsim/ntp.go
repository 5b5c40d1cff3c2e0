// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"time"
)

// NTP adds a client request and the server's answer (RFC 5905, modes 3 and 4).
func (n *Net) NTP(at time.Time, client, server *Host) time.Time {
	ask := make([]byte, 48)
	ask[0] = 4<<3 | 3
	binary.BigEndian.PutUint64(ask[40:], ntpTime(at))
	got := make([]byte, 48)
	got[0], got[1], got[2], got[3] = 4<<3|4, 2, 6, 0xe9
	copy(got[12:16], []byte{192, 0, 2, 123})
	binary.BigEndian.PutUint64(got[16:], ntpTime(at.Add(-64*time.Second)))
	copy(got[24:32], ask[40:])
	binary.BigEndian.PutUint64(got[32:], ntpTime(at.Add(server.Delay/2)))
	binary.BigEndian.PutUint64(got[40:], ntpTime(at.Add(server.Delay/2)))
	n.UDP(at, client, 123, server, 123, ask)
	return n.UDP(at.Add(n.jitter(server.Delay)), server, 123, client, 123, got)
}

// ntpTime is seconds since 1900 in 32.32 fixed point.
func ntpTime(t time.Time) uint64 {
	frac := uint64(t.Nanosecond()) << 32 / 1e9
	return uint64(t.Unix()+2208988800)<<32 | frac
}
