// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// maxRelayTargets bounds the far peers that an alert names.
const maxRelayTargets = 32

// found adds a sign to what is known of a device and the peer of its near sessions, and reports it if that is enough. The ids of the far
// sessions are in far.
func (r *relay) found(c *Context, d *device.Device, near *relayLeg, legs []*relayLeg, far []uint64, sign relaySign, f relayFound) {
	if near.dir == session.Out && !restricted(d, c) {
		return
	}
	var targets []*relayLeg
	for _, x := range legs {
		if slices.Contains(far, x.view.ID) && !exempt(d, near, x) {
			targets = append(targets, x)
			f.external = f.external || near.external && x.external
		}
	}
	if len(targets) == 0 {
		return
	}
	k := r.links.put(relayKey{d.ID, near.peer().Addr}, c.Now)
	k.near, k.found[sign] = near, f
	for _, t := range targets {
		same := func(y *relayLeg) bool { return y.peer().Addr == t.peer().Addr && y.peer().Port == t.peer().Port }
		if i := slices.IndexFunc(k.targets, same); i >= 0 {
			k.targets[i] = t
		} else if len(k.targets) < maxRelayTargets {
			k.targets = append(k.targets, t)
		}
	}
	n := k.signs()
	x, _ := c.Contracts.Expect(d, c.Now)
	if !k.enough(restricted(d, c), x != contract.Normal) || n <= k.reported && len(k.targets) <= k.reportedTargets {
		return
	}
	fresh := k.reported == 0
	k.reported, k.reportedTargets = n, len(k.targets)
	c.Emit(r.finding(c, d, k, targets[len(targets)-1], fresh))
}

func (k *relayLink) signs() (n int) {
	for _, f := range k.found {
		if f != (relayFound{}) {
			n++
		}
	}
	return n
}

// enough reports whether the signs show a relay: two for a device that should forward nothing, or one if both peers are external. Closing
// together alone must have happened as often as connecting, and be as far from chance. If the device opened
// the near session, one sign is not enough, and its own calls may follow what a cloud service sends and end with that session when the device
// starts again: then the content must speak for a relay too, or else most of the far sessions. Unless the device is expected to be silent the
// byte curves must be among the signs. Of other devices, servers answer a request by a request of their own: there,
// only the byte curves count.
func (k *relayLink) enough(limited, declared bool) bool {
	if !limited {
		return k.found[relayCurves].external
	}
	if k.near.dir == session.Out {
		return k.signs() >= 2 && (k.found[relayCurves].bytes > 0 || declared && (k.found[relayBursts].n > 0 || k.mostFollow()))
	}
	if k.signs() >= 2 {
		return true
	}
	for sign, f := range k.found {
		if f.external && (relaySign(sign) != relayCloses || f.alone) {
			return true
		}
	}
	return false
}

// mostFollow reports whether at least half of the far sessions begin when the near side has sent something, or closing with it could stand
// alone.
func (k *relayLink) mostFollow() bool {
	f := &k.found[relayConnects]
	return f.n > 0 && 2*f.n >= f.of || k.found[relayCloses].alone
}

// peerInfo returns the other end of a leg as a finding names it.
func (x *relayLeg) peerInfo() *Peer {
	return &Peer{IP: addr(x.peer(), x.view.V6).String(), External: x.external, Device: x.peerDev}
}

func (r *relay) finding(c *Context, d *device.Device, k *relayLink, last *relayLeg, fresh bool) *Finding {
	e := &Event{Session: &last.view, App: last.app, Initiator: d, Responder: last.peerDev}
	f := c.sessionFinding(r.Rule(), e, session.Out)
	v := c.check(e)
	x, source := c.Contracts.Expect(d, c.Now)
	from := k.near.peerInfo()
	f.Key, f.Stage, f.Severity, f.Maintenance = from.IP, StageOutbound, Critical, v.Maintenance
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	if source == contract.FromIdle && !(k.near.external && last.external) {
		f.Severity = High
	}
	f.Continues = !fresh
	f.Start, f.End = last.view.Start, max(last.view.End, k.near.view.End)
	f.Related = append(f.Related, session.CommunityID(&k.near.view))
	f.Entities = append(f.Entities, "ip:"+from.IP)
	for _, t := range k.targets {
		p := t.peerInfo()
		f.Start = min(f.Start, t.view.Start)
		f.Peers = addDistinct(f.Peers, p.IP, maxListed)
		f.Related = addDistinct(f.Related, session.CommunityID(&t.view), maxListed)
	}
	for _, e := range ipEntities(f.Peers) {
		f.Entities = addDistinct(f.Entities, e, maxListed)
	}
	to := f.other()
	if n := len(f.Peers); n > 1 {
		hosts := fmt.Sprintf("%d hosts", n)
		to = name{hosts, hosts}
	}
	who, near := f.self(), peerName(from)
	f.Brief = "relays to " + to.brief()
	f.Title = headline("%s relays sessions of %s to %s", who, near, to)
	if len(f.Peers) > 1 {
		to.full += " (" + listing(f.Peers, 5) + ")"
	}
	f.Message = fmt.Sprintf("Expected: %s forwards nothing between its sessions. Seen: since %s it forwards sessions of %s to %s: %s.",
		who.full, clock(f.Start), near.full, to.full, strings.Join(k.texts(), "; "))
	k.explain(f)
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.2})
	}
	if k.near.external && f.Peer.External {
		f.Reasons = append(f.Reasons, Reason{Code: "external_ends", Text: "both ends are outside the network", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the device is a proxy, a gateway or a jump host; then add the sessions that it opens to the inventory"))
	f.Recommendation = relayRule.advise("", d)
	return f
}

// The signs in records, by relaySign.
var relaySigns = [numRelaySigns]struct {
	code   string
	weight float64
}{{"connect_through", 0.3}, {"bursts", 0.3}, {"byte_curves", 0.5}, {"closes", 0.2}}

// text describes a sign that was found.
func (f *relayFound) text(sign relaySign) string {
	ms := f.within / 1e6
	switch sign {
	case relayConnects:
		return fmt.Sprintf("%d of %d outbound sessions began within %d ms after the near side had sent something", f.n, f.of, ms)
	case relayBursts:
		return fmt.Sprintf("after %d of %d pauses both sessions went on within %d ms", f.n, f.of, ms)
	case relayCurves:
		return fmt.Sprintf("what one session receives leaves through the other up to %d ms later (%s, correlation %.2f)", ms+session.BinTime/1e6, size(f.bytes), f.r)
	}
	return fmt.Sprintf("%d of %d outbound sessions closed within %d ms of the near one", f.n, f.of, ms)
}

func (k *relayLink) texts() (out []string) {
	for sign := range numRelaySigns {
		if f := &k.found[sign]; *f != (relayFound{}) {
			out = append(out, f.text(sign))
		}
	}
	return out
}

// explain adds the signs as reasons and as evidence.
func (k *relayLink) explain(f *Finding) {
	for sign := range numRelaySigns {
		x := &k.found[sign]
		if *x == (relayFound{}) {
			continue
		}
		text := x.text(sign)
		f.Reasons = append(f.Reasons, Reason{Code: relaySigns[sign].code, Text: text, Weight: relaySigns[sign].weight})
		data := map[string]any{"within_ms": x.within / 1e6}
		if sign == relayCurves {
			data["correlation"], data["ratio"], data["bytes"] = round2(x.r), round2(x.ratio), x.bytes
		} else {
			data["pairs"], data["of"] = x.n, x.of
		}
		f.Evidence = append(f.Evidence, Evidence{Kind: relaySigns[sign].code, Summary: text, Data: data})
	}
}

func round2(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }
