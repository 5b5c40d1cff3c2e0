// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The thresholds. Shares are of 1.
const (
	leastUnicast      = 0.10 // of the frames: a switch floods less than that to a port that mirrors nothing
	fewDestinations   = 3
	oneHost           = 0.95
	oneWayWarning     = 0.10
	oneWayProblem     = 0.90
	fewSessions       = 5
	gapWarning        = 0.001
	gapProblem        = 0.05
	duplicateWarning  = 0.01
	unreadableWarning = 0.01
	dropProblem       = 0.01
	nearFull          = 0.5 // of what the sensor took in the trial
	beyondFull        = 1.0
)

// Check says what the traffic means, and the port unless it is nil, in the order of the checks.
func Check(t *Traffic, p *Port) []Finding {
	all := []Finding{traffic(t, p)}
	if t.Frames > 0 {
		all = append(all, mirror(t, p), directions(t), gaps(t), vlans(t), encapsulation(t), duplicates(t), frames(t))
	}
	if p != nil {
		all = append(all, offloads(t, p), drops(p), silence(p), mode(p))
	}
	return append(all, clock(t, p != nil))
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// percent keeps small shares apart from none.
func percent(x float64) string {
	switch {
	case x > 0 && x < 0.001:
		return "under 0.1 %"
	default:
		return fmt.Sprintf("%.3g %%", 100*x)
	}
}

func traffic(t *Traffic, p *Port) Finding {
	f := Finding{Check: CheckTraffic, Level: OK}
	switch {
	case p != nil && !p.Up:
		f.Level, f.Found, f.Fix = Problem, p.Name+" is down", "ip link set "+p.Name+" up"
	case p != nil && !p.Running:
		f.Level, f.Found, f.Fix = Problem, p.Name+" has no link", "look at the cable, the optics, and whether the port of the switch is shut down"
	case t.Frames == 0:
		f.Level, f.Found, f.Fix = Problem, "nothing arrives", "look at the mirror session of the switch: is it on, are its source and its destination right?"
	default:
		f.Found = fmt.Sprintf("%s frames, %s, in %.1f s; the busiest second had %s frames and %s",
			number(t.Frames), size(t.Bytes), t.Seconds, number(t.PeakFrames), size(t.PeakBytes))
	}
	return f
}

func mirror(t *Traffic, p *Port) Finding {
	f := Finding{Check: CheckMirror, Level: OK}
	part := share(t.Unicast, t.Frames)
	f.Found = fmt.Sprintf("%s of the frames go from one machine to another, to %s", percent(part), counted(t.Destinations, "destination"))
	const setUp = "make this port the destination of a mirror session"
	switch {
	case t.Unicast == 0:
		f.Level, f.Found, f.Fix = Problem, "no mirror: only broadcast, multicast and what is meant for this machine arrive, as at any port of a switch", setUp
	case part < leastUnicast:
		f.Level, f.Fix = Warning, setUp
		f.Found += ": so few that the switch may only flood what it does not know"
	case t.Destinations < fewDestinations:
		f.Level, f.Fix = Warning, "if more was to be seen, add its ports or VLANs to the sources of the mirror session"
		f.Found += ": one conversation, or a mirror of a port that is not used"
	case share(t.TopFrames, t.Unicast) >= oneHost:
		f.Level = Note
		f.Found += fmt.Sprintf("; %s takes part in nearly all of them: the port of one machine is mirrored", t.TopHost)
	}
	return f
}

func directions(t *Traffic) Finding {
	f := Finding{Check: CheckDirections, Level: OK}
	part := share(t.OneWay, t.TCPSessions)
	f.Found = fmt.Sprintf("of %s, %s came in one direction only", counted(int(t.TCPSessions), "TCP session"), percent(part))
	const both = "mirror both directions of the sources (rx and tx), or, if the ways differ, all of them"
	switch {
	case t.TCPSessions < fewSessions:
		f.Level, f.Found = Note, fmt.Sprintf("%s: too few to tell whether both directions come", counted(int(t.TCPSessions), "TCP session"))
	case part >= oneWayProblem:
		f.Level, f.Fix = Problem, both
	case part >= oneWayWarning:
		f.Level, f.Fix = Warning, both
	}
	return f
}

func gaps(t *Traffic) Finding {
	f := Finding{Check: CheckGaps, Level: OK}
	part := share(t.MissedBytes, t.AckedBytes)
	f.Found = fmt.Sprintf("%s of %s that TCP acknowledged are missing", percent(part), size(t.AckedBytes))
	const less = "the mirror loses frames, or its destination is slower than its sources together: mirror fewer ports, or use a faster one or several"
	switch {
	case t.AckedBytes == 0:
		f.Level, f.Found = Note, "no TCP session of which both directions came: nothing to tell by"
	case part >= gapProblem:
		f.Level, f.Fix = Problem, less
	case part >= gapWarning:
		f.Level, f.Fix = Warning, less
	}
	return f
}

// mostListed bounds what a line lists.
const mostListed = 6

func vlans(t *Traffic) Finding {
	f := Finding{Check: CheckVLANs, Level: OK, Found: "no frame has a tag"}
	if len(t.VLANs) == 0 {
		return f
	}
	var parts []string
	for _, v := range t.VLANs[:min(len(t.VLANs), mostListed)] {
		parts = append(parts, fmt.Sprintf("%s (%s)", v.What, percent(share(v.Frames, t.Frames))))
	}
	f.Found = fmt.Sprintf("%s: %s", counted(len(t.VLANs), "VLAN"), strings.Join(parts, ", ")) + more(len(t.VLANs))
	if t.Untagged > 0 {
		f.Found += fmt.Sprintf("; %s without a tag", percent(share(t.Untagged, t.Frames)))
	}
	return f
}

func more(n int) string {
	if n > mostListed {
		return fmt.Sprintf(" and %d more", n-mostListed)
	}
	return ""
}

func encapsulation(t *Traffic) Finding {
	f := Finding{Check: CheckEncapsulation, Level: OK, Found: "none"}
	var parts []string
	for _, x := range t.Encapsulation[:min(len(t.Encapsulation), mostListed)] {
		text := x.Type
		if x.From != "" {
			text += " from " + x.From + " to " + x.To
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", text, percent(share(x.Frames, t.Frames))))
	}
	if len(parts) > 0 {
		f.Found = strings.Join(parts, ", ") + more(len(t.Encapsulation))
	}
	return f
}

func duplicates(t *Traffic) Finding {
	f := Finding{Check: CheckDuplicates, Level: OK}
	twice, routed := share(t.Duplicates, t.Frames), share(t.Routed, t.Frames)
	f.Found = fmt.Sprintf("%s of the frames came twice, %s once more from another side of a router or VLAN", percent(twice), percent(routed))
	switch {
	case twice+routed == 0:
		f.Found = "no frame came twice"
	case twice >= duplicateWarning:
		f.Level, f.Fix = Warning, "two sources of the mirror see the same frame: mirror rx of the ports only, or the VLAN and not its ports as well"
	case routed >= duplicateWarning:
		f.Level, f.Fix = Warning, "both sides of a router are mirrored: leave one out, if nothing is lost by it"
	}
	return f
}

func frames(t *Traffic) Finding {
	f := Finding{Check: CheckFrames, Level: OK, Found: "all could be read"}
	var bad uint64
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.Verdicts)) {
		bad += t.Verdicts[name]
		parts = append(parts, fmt.Sprintf("%s %s", name, number(t.Verdicts[name])))
	}
	if bad > 0 {
		f.Found = fmt.Sprintf("%s could not be read to their end: %s", percent(share(bad, t.Frames)), strings.Join(parts, ", "))
	}
	if share(bad, t.Frames) >= unreadableWarning {
		f.Level, f.Fix = Warning, "look at some of them with tcpdump: an encapsulation that is not known, or a mirror that cuts or damages frames"
	}
	if t.Truncated > 0 {
		f.Found += fmt.Sprintf("; %s are cut", percent(share(t.Truncated, t.Frames)))
	}
	if share(t.Truncated, t.Frames) >= unreadableWarning {
		f.Level, f.Fix = Warning, "frames are cut before they arrive: raise the MTU on the way of the mirror, or take its truncation off"
	}
	return f
}

func offloads(t *Traffic, p *Port) Finding {
	f := Finding{Check: CheckOffloads, Level: OK, Found: "none that merges frames is on"}
	var on, off []string
	for _, x := range []struct {
		name string
		is   *bool
	}{{"gro", p.GRO}, {"lro", p.LRO}} {
		if x.is != nil && *x.is {
			on, off = append(on, strings.ToUpper(x.name)), append(off, x.name+" off")
		}
	}
	if len(on) > 0 {
		f.Level, f.Fix = Warning, "ethtool -K "+p.Name+" "+strings.Join(off, " ")
		f.Found = strings.Join(on, " and ") + " merges frames: what arrives are not the frames of the wire, so their counts and sizes are wrong"
	}
	if t.Merged > 0 {
		f.Level = Warning
		f.Found += fmt.Sprintf("; %s frames were longer than the MTU of %d, the longest %d bytes", number(t.Merged), p.MTU, t.Largest)
		if f.Fix == "" {
			f.Fix = "if the network has jumbo frames: ip link set " + p.Name + " mtu 9000; otherwise whoever sends the mirror merges frames"
		}
	}
	return f
}

func drops(p *Port) Finding {
	c := p.Counters
	lost := c.NIC + c.Ring + c.Queue
	f := Finding{Check: CheckDrops, Level: OK, Found: fmt.Sprintf("none of %s frames", number(c.Received))}
	if lost == 0 {
		return f
	}
	f.Level = Warning
	if share(lost, c.Received+c.NIC+c.Queue) >= dropProblem {
		f.Level = Problem
	}
	var fixes []string
	for _, x := range []struct {
		n   uint64
		fix string
	}{
		{c.NIC, "ethtool -G " + p.Name + " rx 4096"},
		{c.Queue, "sysctl net.core.netdev_max_backlog=65536"},
		{c.Ring, "use mode xdp, or more processors"},
	} {
		if x.n > 0 {
			fixes = append(fixes, x.fix)
		}
	}
	f.Found = fmt.Sprintf("%s of %s frames: %s by the interface, %s by the input queue of the kernel, %s by the ring",
		number(lost), number(c.Received+c.NIC+c.Queue), number(c.NIC), number(c.Queue), number(c.Ring))
	f.Fix = strings.Join(fixes, "; ")
	return f
}

// silence is about the port being for listening only.
func silence(p *Port) Finding {
	f := Finding{Check: CheckSilence, Level: OK, Found: "the port sent nothing and has no address"}
	if p.Name == "lo" {
		return Finding{Check: CheckSilence, Level: Note, Found: "lo is no mirror port: what it receives it has sent"}
	}
	quiet := "ip link set " + p.Name + " addrgenmode none; ip addr flush dev " + p.Name
	switch {
	case p.Counters.Sent > 0:
		f.Level, f.Fix = Warning, quiet+"; and see what else uses the port: a DHCP client, LLDP, a bridge"
		f.Found = fmt.Sprintf("the port sent %s frames; the sensor sends none, something else on this machine does", number(p.Counters.Sent))
	case len(p.Addresses) > 0:
		f.Level, f.Fix = Warning, quiet
		f.Found = "the port has " + strings.Join(p.Addresses, ", ") + ": it needs no address, and with one this machine may answer what it hears"
	}
	return f
}

// mode says which mode of XDP the sensor would have here.
func mode(p *Port) Finding {
	f := Finding{Check: CheckMode, Level: Note}
	var reasons []string
	for _, m := range p.Modes {
		if m.Error != "" {
			reasons = append(reasons, m.Error)
			continue
		}
		if f.Found = "xdp " + m.Mode + " can be had"; m.Mode != "generic" { // and faster only in a network card
			f.Level = OK
		} else {
			f.Found += ", which is slower than in the driver: " + strings.Join(reasons, "; ")
		}
		return f
	}
	f.Found = "xdp cannot be had, so mode afpacket is what there is: " + strings.Join(slices.Compact(reasons), "; ")
	return f
}

func clock(t *Traffic, live bool) Finding {
	f := Finding{Check: CheckClock, Level: OK, Found: "time stamps go forward"}
	var parts []string
	if t.Backwards > 0 {
		f.Level, f.Fix = Warning, "if captures were joined, sort them by time"
		parts = append(parts, fmt.Sprintf("%s time stamps are before earlier ones, by up to %.3f s", number(t.Backwards), t.MostBack))
	}
	if live {
		f.Found = "it did not jump, and time stamps go forward"
		f.Fix = ""
	}
	if t.ClockJumps > 0 {
		f.Level = Warning
		parts = append(parts, fmt.Sprintf("the clock of this machine was set %s, by up to %.1f s", times(t.ClockJumps), t.MostJump))
	}
	if t.ClockSynced != nil && !*t.ClockSynced {
		f.Level = Warning
		parts = append(parts, "nothing keeps the clock of this machine right")
	}
	if live && f.Level != OK {
		f.Fix = "run chrony or another NTP client, over another port than this"
	}
	if len(parts) > 0 {
		f.Found = strings.Join(parts, "; ")
	}
	return f
}

// Rate judges what arrives by what the sensor did with it in a trial. It says what the trial was, because it is no promise: other traffic
// costs other work, and the kernel needs time of its own to receive frames.
func Rate(t *Traffic, c *Capacity) Finding {
	f := Finding{Check: CheckRate, Level: OK}
	mean := 0.0
	if t.Seconds > 0 {
		mean = float64(t.Frames) / t.Seconds
	}
	now := fmt.Sprintf("%s frames/s and %s/s on average, %s frames/s in the busiest second", number(uint64(mean)), bits(float64(t.Bytes)/max(t.Seconds, 1)), number(t.PeakFrames))
	if c == nil {
		f.Level, f.Found = Note, now+"; too few frames to measure what the sensor can take"
		return f
	}
	part := float64(t.PeakFrames) / c.FramesPerSecond
	f.Found = fmt.Sprintf("%s. The whole sensor, given %s of these frames from memory, took %s frames/s on %s: the busiest second is %s of that. The kernel needs time too; count on half",
		now, number(c.Frames), number(uint64(c.FramesPerSecond)), counted(c.Processors, "processor"), percent(part))
	const fix = "use mode xdp, which leaves most frames to the kernel; give the sensor more processors; or mirror less"
	switch {
	case part >= beyondFull:
		f.Level, f.Fix = Problem, fix
	case part >= nearFull:
		f.Level, f.Fix = Warning, fix
	}
	return f
}
