// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// An intruder who copies the MAC address of a camera as well as its address looks like the camera on the link. His computer still has a TCP of
// its own, offers what computers offer, and runs their programs. Each of these is a trait; two that the device never had before are a finding.

// trait is a kind of evidence that a device is a computer.
type trait uint8

const (
	traitStack   trait = iota // its TCP begins with another TTL than before
	traitService              // it answers in a protocol of computers
	traitProgram              // it runs a browser, or has the DHCP client of Windows
	numTraits
)

// nature is what a camera or another appliance has shown of itself.
type nature struct {
	since          int64       // when it was known to be an appliance
	role           device.Role // at that time
	ttl            uint8       // with which its packets begin; 0: not known yet
	usual          uint8       // traits that it had in the first hours, one bit each
	at             [numTraits]int64
	text           [numTraits]string
	reported       int64
	reportedTraits uint8 // traits in the report
}

// noComputer reports whether a device of a role is no computer. Some recorders are computers: they show it from the beginning.
func noComputer(r device.Role) bool {
	switch r {
	case device.Camera, device.NVR, device.Printer, device.IoT, device.IoTHub:
		return true
	}
	return false
}

// classify looks for traits of a computer at both ends of a session.
func (i *identity) classify(e *Event, c *Context) {
	v := e.Session
	switch e.Kind {
	case SessionState:
		i.stackOf(e, c, session.Out)
		i.stackOf(e, c, session.In)
		return
	case SessionFact:
	default:
		return
	}
	switch f := e.Fact.(type) {
	case *dissect.AppID:
		n := i.natureOf(e.Responder, &v.Responder, c)
		if n != nil && v.Answered() && (f.Name == "rdp" || f.Name == "smb" && n.role != device.Printer && n.role != device.NVR) {
			i.shows(e, c, session.In, traitService, "it answers "+f.Name)
		}
	case *dissect.HTTPExchange:
		if system := desktop(f.UserAgent); system != "" {
			i.shows(e, c, session.Out, traitProgram, "it runs a browser on "+system)
		}
	case *dissect.TLSClientHello:
		if e.App != nil && e.App.Hello != nil && browserHello(e.App.Hello.JA4) {
			i.shows(e, c, session.Out, traitProgram, "it opens TLS as a browser does")
		}
	case *dissect.DHCPMessage:
		if strings.HasPrefix(f.VendorClass, "MSFT ") {
			i.shows(e, c, session.Out, traitProgram, "it has the DHCP client of Windows")
		}
	}
}

// desktop returns the system that the user agent of a browser on a computer names.
func desktop(agent string) string {
	switch {
	case strings.Contains(agent, "(Windows NT "):
		return "Windows"
	case strings.Contains(agent, "(Macintosh; "):
		return "macOS"
	case strings.Contains(agent, "(X11; Linux x86_64"):
		return "Linux"
	}
	return ""
}

// browserHello reports whether a JA4 has the shape of a current browser: TLS 1.3 to a named server with HTTP/2 and 14 extensions or more.
// Libraries send fewer.
func browserHello(ja4 string) bool {
	if len(ja4) < 10 || ja4[:4] != "t13d" || ja4[8:10] != "h2" {
		return false
	}
	n, err := strconv.Atoi(ja4[6:8])
	return err == nil && n >= 14
}

// stackOf compares the TTL of one end of an established session with that of the device before.
func (i *identity) stackOf(e *Event, c *Context, dir session.Dir) {
	x, d := end(e, dir)
	if !device.DirectTTL(x.TTL) {
		return
	}
	n := i.natureOf(d, x, c)
	switch {
	case n == nil:
	case n.ttl == 0:
		n.ttl = x.TTL
	case n.ttl != x.TTL:
		i.shows(e, c, dir, traitStack, fmt.Sprintf("its packets begin with TTL %d instead of %d", x.TTL, n.ttl))
	}
}

// end returns one end of the session of an event, and its device.
func end(e *Event, dir session.Dir) (*session.Endpoint, *device.Device) {
	if dir == session.In {
		return &e.Session.Responder, e.Responder
	}
	return &e.Session.Initiator, e.Initiator
}

// natureOf returns what is known of a device that has been an appliance, nil if it is none or the packets are not its own.
func (i *identity) natureOf(d *device.Device, x *session.Endpoint, c *Context) *nature {
	if d == nil || d.Router || d.MAC.IsZero() || x.MAC != d.MAC {
		return nil
	}
	known := i.natures.lru.Peek(d.ID) != nil
	if !known && (!noComputer(d.Role) || d.Level < device.Probable) || !c.Devices.Station(d.MAC) {
		return nil
	}
	if known {
		return i.natures.get(d.ID, c.Now)
	}
	n := i.natures.put(d.ID, c.Now)
	*n = nature{since: c.Now, role: d.Role}
	return n
}

// shows records a trait of a device, and reports the second one that is new within a day.
func (i *identity) shows(e *Event, c *Context, dir session.Dir, t trait, text string) {
	x, d := end(e, dir)
	n := i.natureOf(d, x, c)
	switch {
	case n == nil, n.usual&(1<<t) != 0:
		return
	case c.Now-n.since < int64(i.p.KnownMinutes)*minute:
		n.usual |= 1 << t
		return
	}
	n.at[t], n.text[t] = c.Now, text
	var seen []string
	for k, at := range n.at {
		if at != 0 && c.Now-at < day {
			seen = append(seen, n.text[k])
		}
	}
	if c.Now-n.reported >= 7*day {
		n.reportedTraits = 0
	}
	if len(seen) < 2 || len(seen) <= int(n.reportedTraits) {
		return
	}
	n.reported, n.reportedTraits = c.Now, uint8(len(seen))
	c.Emit(i.classFinding(e, c, dir, n, seen))
}

func (i *identity) classFinding(e *Event, c *Context, dir session.Dir, n *nature, seen []string) *Finding {
	f := c.sessionFinding(i.Rule(), e, dir)
	f.Key, f.Stage, f.Severity, f.Count = "class", StageLogin, Medium, 1
	if len(seen) == int(numTraits) {
		f.Severity = High
	}
	who, kind := f.self(), n.role.Phrase()
	f.Brief = "behaves like a computer"
	f.Title = headline("%s behaves like a computer, but was "+kind+" before", who)
	f.Message = fmt.Sprintf("Expected: %s behaves as since %s, when it was known as %s. Seen: %s.", who.full, clock(n.since), kind, strings.Join(seen, "; "))
	for _, s := range seen {
		f.Reasons = append(f.Reasons, Reason{Code: "other_class", Text: s, Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("the device was replaced by a computer with the same MAC address, such as a virtual machine, or got another firmware"))
	f.Evidence = []Evidence{{Kind: "identity", Summary: strings.Join(seen, "; "), Data: map[string]any{"mac": f.Device.MAC.String(), "known_as": n.role.String(), "traits": len(seen)}}}
	f.Recommendation = identityRule.advise("class", f.Device)
	return f
}

func (n *nature) walk(c *snapshot.Codec) {
	c.Time(&n.since)
	snapshot.Enum(c, &n.role, device.IoT)
	snapshot.Number(c, &n.ttl)
	snapshot.Number(c, &n.usual)
	for k := range n.at {
		c.Time(&n.at[k])
		c.String(&n.text[k])
	}
	c.Time(&n.reported)
	snapshot.Number(c, &n.reportedTraits)
}
