// SPDX-License-Identifier: Apache-2.0

package dissect

// Spares are dissectors of the most common protocols over TCP that have done their work and wait for the next session. The zero value
// serves, for the conversations of one goroutine.
type Spares struct {
	tls  []*tlsStream
	http []*httpStream
}

// maxSpares bounds the dissectors of one kind that wait.
const maxSpares = 64

// put takes a dissector that has done its work; s may be nil.
func (s *Spares) put(d streamDissector) {
	if s == nil {
		return
	}
	switch d := d.(type) {
	case *tlsStream:
		s.tls = spare(s.tls, d)
	case *httpStream:
		s.http = spare(s.http, d)
	}
}

// spare lets d go of what it has read, and keeps it.
func spare[T any](list []*T, d *T) []*T {
	if len(list) >= maxSpares {
		return list
	}
	var none T
	*d = none
	return append(list, d)
}

// take gives a dissector as it was put, or a new one.
func take[T any](list *[]*T) *T {
	last := len(*list) - 1
	if last < 0 {
		return new(T)
	}
	d := (*list)[last]
	*list = (*list)[:last]
	return d
}

func openTLS(c *Conversation) streamDissector {
	if c.spares == nil {
		return new(tlsStream)
	}
	return take(&c.spares.tls)
}

func openHTTP(c *Conversation) streamDissector {
	if c.spares == nil {
		return new(httpStream)
	}
	return take(&c.spares.http)
}
