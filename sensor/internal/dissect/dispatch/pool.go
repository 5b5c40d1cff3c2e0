// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/tls"
)

// Pool holds dissectors of the most common protocols over TCP for reuse by the next sessions, so that a session allocates none. The zero
// value is ready to use, by the conversations of one goroutine.
type Pool struct {
	tls  []*tls.Stream
	http []*http.Stream
}

// maxPooled bounds the idle dissectors of one type.
const maxPooled = 64

// put takes back a dissector that is no longer in use; p may be nil.
func (p *Pool) put(d dissect.Stream) {
	if p == nil {
		return
	}
	switch d := d.(type) {
	case *tls.Stream:
		p.tls = putCleared(p.tls, d)
	case *http.Stream:
		p.http = putCleared(p.http, d)
	}
}

// putCleared adds d to list with everything that it has read removed, so that nothing of one session reaches the next.
func putCleared[T any](list []*T, d *T) []*T {
	if len(list) >= maxPooled {
		return list
	}
	var zero T
	*d = zero
	return append(list, d)
}

// take returns an idle dissector, or a new one.
func take[T any](list *[]*T) *T {
	last := len(*list) - 1
	if last < 0 {
		return new(T)
	}
	d := (*list)[last]
	*list = (*list)[:last]
	return d
}

func (c *Conversation) newTLS() dissect.Stream {
	if c.pool == nil || tls.Decrypts() {
		return tls.New()
	}
	return take(&c.pool.tls)
}

func (c *Conversation) newHTTP() dissect.Stream {
	if c.pool == nil {
		return http.New()
	}
	return take(&c.pool.http)
}

// newDNS, newMDNS and newLLMNR return the dissector that is part of the conversation, so that the sessions of DNS,
// which are the most frequent, allocate none.
func (c *Conversation) newDNS() dissect.Datagrams { return c.dnsOf(dns.Unicast) }

func (c *Conversation) newMDNS() dissect.Datagrams { return c.dnsOf(dns.Multicast) }

func (c *Conversation) newLLMNR() dissect.Datagrams { return c.dnsOf(dns.LLMNR) }

func (c *Conversation) dnsOf(d dns.Dialect) dissect.Datagrams {
	c.dns = dns.NewDatagrams(d)
	return &c.dns
}
