// SPDX-License-Identifier: Apache-2.0

// Package netsim builds captures in code, packet by packet, for tests and for the story captures. The same seed and the
// same calls produce the same bytes.
//
//	n := netsim.New(1)
//	n.Router("10.20.1.1", "00:1b:54:00:00:01")
//	cam := n.Host("cam-01", "10.20.30.11", "44:19:b6:00:00:11", netsim.Embedded)
//	far := n.External("203.0.113.66", netsim.Linux, 45*time.Millisecond)
//	c := n.Dial(t, far, cam, 80)
//	c.HTTP(netsim.Request{Method: "GET", URI: "/", Auth: netsim.Basic("admin", "admin")}, netsim.Response{Status: 200})
//	end := c.Close()
//	n.WriteTo(w)
//
// Packets may be added in any order: WriteTo sorts by time, and keeps the order of the calls for equal times.
// An invalid argument (such as an address that does not parse) panics, because the package is for tests and for the story
// program only.
package netsim
