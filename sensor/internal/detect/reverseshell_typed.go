// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math"

	"stillwatch/sensor/internal/session"
)

// typing is what a session shows of somebody who types at the other end. An exchange is what is sent between two pauses. In most sessions the
// client begins them, because it asks; in a reverse shell the server does.
type typing struct {
	last       int64 // the latest payload
	from       int64 // start of the current exchange
	first      session.Dir
	bytes      [2]uint64 // of the current exchange
	n, typed   int       // exchanges, and those that the other end began and the device answered with more
	total      [2]uint64 // of the typed ones
	begun      int64     // start of the last typed one
	gaps       int       // between typed ones
	mean, vary float64   // of these, seconds, and the sum of squared deviations (Welford)
	reported   bool
}

// activity adds what a session has carried, and decides at the end of an exchange. Only devices that should open no such session are looked at:
// those that are declared so, and appliances that call an address without a name.
func (r *reverseShell) activity(e *Event, c *Context) {
	if r.p.Exchanges <= 0 || e.Initiator == nil || !Originated(e) || e.App != nil && e.App.Name == "shell" {
		return
	}
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	if !strict(x, source) && (!isAppliance(e.Initiator) || c.ResponderName(e) != "") {
		return
	}
	t := r.typed.put(e.Session.ID, c.Now)
	for i := range e.Activity {
		b := &e.Activity[i]
		if t.last != 0 && b.Time-t.last >= int64(r.p.PauseMS)*1e6 {
			t.close(&r.p)
		}
		if t.bytes == [2]uint64{} {
			t.from, t.first = b.Time, b.Dir
		}
		t.last = b.Time
		t.bytes[session.Out] += uint64(b.Bytes[session.Out])
		t.bytes[session.In] += uint64(b.Bytes[session.In])
	}
	if !t.reported && t.looksTyped(&r.p) {
		t.reported = true
		if f := r.typedFinding(e, c, t); f != nil {
			c.Emit(f)
		}
	}
}

// close ends the current exchange.
func (t *typing) close(p *ReverseShellParams) {
	t.n++
	if in, out := t.bytes[session.In], t.bytes[session.Out]; t.first == session.In && in > 0 && in <= uint64(p.TypedBytes) && out >= in {
		t.typed++
		t.total[0], t.total[1] = t.total[0]+out, t.total[1]+in
		if t.begun != 0 {
			t.gaps++
			gap := float64(t.from-t.begun) / float64(second)
			d := gap - t.mean
			t.mean += d / float64(t.gaps)
			t.vary += d * (gap - t.mean)
		}
		t.begun = t.from
	}
	t.bytes = [2]uint64{}
}

// looksTyped reports whether the exchanges look like commands that a person types and their output.
func (t *typing) looksTyped(p *ReverseShellParams) bool {
	if t.typed < p.Exchanges || float64(t.typed) < p.Share*float64(t.n) || float64(t.total[session.Out]) < p.Ratio*float64(t.total[session.In]) || t.gaps < 2 {
		return false
	}
	return math.Sqrt(t.vary/float64(t.gaps)) >= p.Spread*t.mean
}

func (r *reverseShell) typedFinding(e *Event, c *Context, t *typing) *Finding {
	f, x, source, ok := c.callerFinding(r.Rule(), e)
	if !ok {
		return nil
	}
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Stage, f.Severity, f.Reliability = StageOutbound, High, 0.6
	who, server := f.self(), f.Peer.at()
	exchanges := fmt.Sprintf("%d of %d exchanges", t.typed, t.n)
	f.Brief = "may have a reverse shell to " + server.brief()
	f.Title = headline("%s may have a reverse shell to %s", who, server)
	f.Message = fmt.Sprintf("Expected: %s sends requests to the hosts that it calls, and they answer. Seen: since %s, in a session that it opened to %s, the other end began %s, at irregular times, and the device answered each with more (%s out, %s in).",
		who.full, clock(e.Session.Start), f.other().full, exchanges, size(t.total[session.Out]), size(t.total[session.In]))
	f.Reasons = append(f.Reasons, Reason{Code: "typed", Text: "the other end began " + exchanges + " with little, and the device sent more, as a shell does", Weight: 0.5},
		Reason{Code: "inferred", Text: "the content is not readable: it is inferred from times and sizes", Weight: -0.2})
	if strict(x, source) {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("a user operates the device through the cloud of its vendor; then add the server to the inventory"))
	f.Evidence = []Evidence{{Kind: "shell", Summary: exchanges + " begun by the other end", Data: map[string]any{"exchanges": t.typed, "of": t.n, "inferred": true}}}
	f.Recommendation = reverseShellRule.advise("", f.Device)
	return f
}
