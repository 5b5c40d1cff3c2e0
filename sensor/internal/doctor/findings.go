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
	leastUnicast      = 0.10 // share of the frames: on an ordinary port a switch floods less than that
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
	nearFull          = 0.5 // share of the capacity in the trial
	beyondFull        = 1.0
)

// Check returns the findings about the traffic, and about the port unless it is nil, in the order of the checks.
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

// percent formats a share. A small one is never shown as 0.
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
		f.Level, f.Found, f.Fix = Problem, p.Name+" has no link", "check the cable, the optics, and whether the switch port is shut down"
	case t.Frames == 0:
		f.Level, f.Found, f.Fix = Problem, "no frame arrives", "check the mirror session on the switch: whether it is enabled, its sources and its destination"
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
		f.Level, f.Found, f.Fix = Problem, "no mirror: only broadcast, multicast and frames for this machine arrive, as on any switch port", setUp
	case part < leastUnicast:
		f.Level, f.Fix = Warning, setUp
		f.Found += ": so few that the switch may only flood frames with unknown destinations"
	case t.Destinations < fewDestinations:
		f.Level, f.Fix = Warning, "if there should be more traffic, add its ports or VLANs to the sources of the mirror session"
		f.Found += ": one conversation, or a mirror of an unused port"
	case share(t.TopFrames, t.Unicast) >= oneHost:
		f.Level = Note
		f.Found += fmt.Sprintf("; %s takes part in nearly all of them: the port of one machine is mirrored", t.TopHost)
	}
	return f
}

func directions(t *Traffic) Finding {
	f := Finding{Check: CheckDirections, Level: OK}
	part := share(t.OneWay, t.TCPSessions)
	f.Found = fmt.Sprintf("of %s, %s have packets in one direction only", counted(int(t.TCPSessions), "TCP session"), percent(part))
	const both = "mirror both directions of the sources (rx and tx); if the directions take different paths, mirror all of them"
	switch {
	case t.TCPSessions < fewSessions:
		f.Level, f.Found = Note, fmt.Sprintf("%s: too few to tell whether both directions arrive", counted(int(t.TCPSessions), "TCP session"))
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
	const less = "the mirror loses frames, or its destination is slower than all sources together: mirror fewer ports, or use a faster destination or several"
	switch {
	case t.AckedBytes == 0:
		f.Level, f.Found = Note, "no TCP session with packets in both directions: not measured"
	case part >= gapProblem:
		f.Level, f.Fix = Problem, less
	case part >= gapWarning:
		f.Level, f.Fix = Warning, less
	}
	return f
}

// mostListed limits the entries of a list in a finding.
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
	f.Found = fmt.Sprintf("%s of the frames arrived twice, %s arrived again from another side of a router or VLAN", percent(twice), percent(routed))
	switch {
	case twice+routed == 0:
		f.Found = "no frame arrived twice"
	case twice >= duplicateWarning:
		f.Level, f.Fix = Warning, "two sources of the mirror copy the same frame: mirror rx of the ports only, or the VLAN without its ports"
	case routed >= duplicateWarning:
		f.Level, f.Fix = Warning, "both sides of a router are mirrored: omit one side, unless it has traffic of its own"
	}
	return f
}

func frames(t *Traffic) Finding {
	f := Finding{Check: CheckFrames, Level: OK, Found: "all could be decoded"}
	var bad uint64
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.Verdicts)) {
		bad += t.Verdicts[name]
		parts = append(parts, fmt.Sprintf("%s %s", name, number(t.Verdicts[name])))
	}
	if bad > 0 {
		f.Found = fmt.Sprintf("%s could not be decoded completely: %s", percent(share(bad, t.Frames)), strings.Join(parts, ", "))
	}
	if share(bad, t.Frames) >= unreadableWarning {
		f.Level, f.Fix = Warning, "examine some of them with tcpdump: an unknown encapsulation, or a mirror that cuts or damages frames"
	}
	if t.Truncated > 0 {
		f.Found += fmt.Sprintf("; %s are cut", percent(share(t.Truncated, t.Frames)))
	}
	if share(t.Truncated, t.Frames) >= unreadableWarning {
		f.Level, f.Fix = Warning, "frames are cut before they arrive: raise the MTU on the path of the mirror, or disable its truncation"
	}
	return f
}

func offloads(t *Traffic, p *Port) Finding {
	f := Finding{Check: CheckOffloads, Level: OK, Found: "no offload that merges frames is enabled"}
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
		f.Found = strings.Join(on, " and ") + " merges frames: counts and sizes differ from those on the wire"
	}
	if t.Merged > 0 {
		f.Level = Warning
		f.Found += fmt.Sprintf("; %s frames were longer than the MTU of %d, the longest %d bytes", number(t.Merged), p.MTU, t.Largest)
		if f.Fix == "" {
			f.Fix = "if the network has jumbo frames: ip link set " + p.Name + " mtu 9000; otherwise the sender of the mirror merges frames"
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

// silence checks that the port only receives.
func silence(p *Port) Finding {
	f := Finding{Check: CheckSilence, Level: OK, Found: "the port sent nothing and has no address"}
	if p.Name == "lo" {
		return Finding{Check: CheckSilence, Level: Note, Found: "lo is not a mirror port: it receives what it sends"}
	}
	quiet := "ip link set " + p.Name + " addrgenmode none; ip addr flush dev " + p.Name
	switch {
	case p.Counters.Sent > 0:
		f.Level, f.Fix = Warning, quiet+"; and find out what else uses the port: a DHCP client, LLDP, a bridge"
		f.Found = fmt.Sprintf("the port sent %s frames; another program on this machine sends, because the sensor never does", number(p.Counters.Sent))
	case len(p.Addresses) > 0:
		f.Level, f.Fix = Warning, quiet
		f.Found = "the port has " + strings.Join(p.Addresses, ", ") + ": it needs no address, and with one this machine may answer mirrored packets"
	}
	return f
}

// mode reports which XDP mode the sensor would use.
func mode(p *Port) Finding {
	f := Finding{Check: CheckMode, Level: Note}
	var reasons []string
	for _, m := range p.Modes {
		if m.Error != "" {
			reasons = append(reasons, m.Error)
			continue
		}
		if f.Found = "xdp " + m.Mode + " is available"; m.Mode != "generic" { // native, or offload, which no known card has
			f.Level = OK
		} else {
			f.Found += ", which is slower than in the driver: " + strings.Join(reasons, "; ")
		}
		return f
	}
	f.Found = "xdp is not available, so the sensor uses mode afpacket: " + strings.Join(slices.Compact(reasons), "; ")
	return f
}

func clock(t *Traffic, live bool) Finding {
	f := Finding{Check: CheckClock, Level: OK, Found: "time stamps are in order"}
	var parts []string
	if t.Backwards > 0 {
		f.Level, f.Fix = Warning, "if captures were joined, sort them by time"
		parts = append(parts, fmt.Sprintf("%s time stamps are before earlier ones, by up to %.3f s", number(t.Backwards), t.MostBack))
	}
	if live {
		f.Found = "no steps, and time stamps are in order"
		f.Fix = ""
	}
	if t.ClockJumps > 0 {
		f.Level = Warning
		parts = append(parts, fmt.Sprintf("the clock of this machine was set %s, by up to %.1f s", times(t.ClockJumps), t.MostJump))
	}
	if t.ClockSynced != nil && !*t.ClockSynced {
		f.Level = Warning
		parts = append(parts, "nothing synchronizes the clock of this machine")
	}
	if live && f.Level != OK {
		f.Fix = "run chrony or another NTP client, over another port"
	}
	if len(parts) > 0 {
		f.Found = strings.Join(parts, "; ")
	}
	return f
}

// Rate compares the traffic with the capacity that a trial measured. The finding describes the trial, because it is only an estimate: other
// traffic costs other work, and the kernel needs time to receive frames.
func Rate(t *Traffic, c *Capacity) Finding {
	f := Finding{Check: CheckRate, Level: OK}
	mean := 0.0
	if t.Seconds > 0 {
		mean = float64(t.Frames) / t.Seconds
	}
	now := fmt.Sprintf("%s frames/s and %s/s on average, %s frames/s in the busiest second", number(uint64(mean)), bits(float64(t.Bytes)/max(t.Seconds, 1)), number(t.PeakFrames))
	if c == nil {
		f.Level, f.Found = Note, now+"; too few frames to measure the capacity of the sensor"
		return f
	}
	part := float64(t.PeakFrames) / c.FramesPerSecond
	f.Found = fmt.Sprintf("%s. The whole sensor processed %s of these frames from memory at %s frames/s on %s: the busiest second is %s of that. The kernel needs processor time too: plan with half",
		now, number(c.Frames), number(uint64(c.FramesPerSecond)), counted(c.Processors, "processor"), percent(part))
	const fix = "use mode xdp, which handles most frames in the kernel; use more processors; or mirror less traffic"
	switch {
	case part >= beyondFull:
		f.Level, f.Fix = Problem, fix
	case part >= nearFull:
		f.Level, f.Fix = Warning, fix
	}
	return f
}
