// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/terminal"
)

// Bounds of what is listed.
const (
	maxServers = 16 // infrastructure servers of one kind; more are not pinned
	maxReview  = 20 // lines to review for a device
	maxPorts   = 8  // ports of an entry above 1023; more become a range
	maxShown   = 6  // answered ports, addresses, networks in a comment
)

// lines collects lines of YAML, each with its comment; the comments of a block are aligned.
type lines struct {
	out   bytes.Buffer
	block [][2]string
}

const maxAligned = 64 // comments start at this column at most

func (b *lines) add(text, comment string) { b.block = append(b.block, [2]string{text, comment}) }

func (b *lines) flush() {
	wide := 0
	for _, x := range b.block {
		if n := terminal.Columns(x[0]); x[1] != "" && n <= maxAligned {
			wide = max(wide, n)
		}
	}
	for _, x := range b.block {
		if x[1] == "" {
			b.out.WriteString(x[0] + "\n")
			continue
		}
		b.out.WriteString(terminal.Pad(x[0], wide) + "  # " + x[1] + "\n")
	}
	b.block = nil
}

// write writes the draft as YAML.
func (w *draft) write(origin string, internal []netip.Prefix) []byte {
	var b lines
	w.header(&b, origin)
	b.add("version: 1", "")
	w.networks(&b, internal)
	w.infrastructure(&b)
	if len(w.items) == 0 {
		b.add("devices: []", "no device was seen")
	} else {
		b.add("", "")
		b.add("devices:", "")
	}
	b.flush()
	for i, x := range w.items {
		if i > 0 {
			b.add("", "")
		}
		w.device(&b, x)
	}
	return b.out.Bytes()
}

func (w *draft) header(b *lines, origin string) {
	review := 0
	for _, x := range w.items {
		review += len(x.review)
	}
	lines := "Lines to review: none."
	if review > 0 {
		lines = fmt.Sprintf("Lines to review: %d. They are commented out, with the reason above them. Remove the # of what you want to allow.", review)
	}
	for _, s := range []string{
		"Draft of an inventory, suggested from " + detect.Clean(origin, 200) + ".",
		fmt.Sprintf("Traffic from %s to %s UTC: %s, %s.", terminal.Moment(w.l.first), terminal.Moment(w.now),
			terminal.Counted(w.l.seen, "session"), counted(len(w.items), "device")),
		"",
		"Read it, correct it, then check it: stillwatch-sensor config check --inventory FILE",
		lines,
	} {
		b.add(strings.TrimRight("# "+s, " "), "")
	}
	if n := w.l.evicted(); n > 0 {
		b.add(fmt.Sprintf("# The draft is not complete: %s of what was seen did not fit.", terminal.Grouped(n)), "")
	}
	if w.left > 0 {
		b.add(fmt.Sprintf("# Not listed: %s without a MAC or IP address of its own.", counted(w.left, "device")), "")
	}
	b.flush()
}

// networks lists the internal networks: those that the user set, else the private ranges in which addresses were seen.
func (w *draft) networks(b *lines, internal []netip.Prefix) {
	if len(internal) == 0 {
		for _, p := range device.DefaultInternal() {
			if w.l.ranges[p] {
				internal = append(internal, p)
			}
		}
	}
	subnets := map[netip.Prefix]int{}
	for _, x := range w.items {
		for _, a := range x.d.IPs {
			if p := subnetOf(a.Unmap()); p.IsValid() {
				subnets[p]++
			}
		}
	}
	for p := range subnets { // announced by a router, or declared with --silent
		if !slices.ContainsFunc(internal, func(q netip.Prefix) bool { return q.Overlaps(p) }) {
			internal = append(internal, p)
		}
	}
	slices.SortFunc(internal, comparePrefixes)
	b.add("", "")
	b.add("networks:", "")
	if len(internal) == 0 {
		b.add("  internal: []", "no internal address was seen")
	} else {
		b.add("  internal:", "")
	}
	for _, p := range internal {
		var parts []string
		for _, q := range slices.SortedFunc(maps.Keys(subnets), comparePrefixes) {
			if p.Overlaps(q) {
				parts = append(parts, fmt.Sprintf("%s (%d)", q, subnets[q]))
			}
		}
		text := ""
		if len(parts) > 0 {
			text = "addresses seen: " + shorten(parts)
		}
		b.add("    - "+quote(p.Masked().String()), text)
	}
	b.flush()
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(compareAddrs(a.Addr(), b.Addr()), a.Bits()-b.Bits())
}

func subnetOf(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// shorten lists the first few of many.
func shorten(all []string) string {
	text := strings.Join(all[:min(len(all), maxShown)], ", ")
	if n := len(all) - maxShown; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// server is an infrastructure server with what was seen of it.
type server struct {
	spec    string
	name    string // of the device
	clients map[uint32]bool
	useSum
}

func (w *draft) infrastructure(b *lines) {
	var all lines
	listed := false
	for _, kind := range []string{"dns", "ntp", "dhcp", "syslog"} {
		if w.servers(&all, kind) {
			listed = true
		}
	}
	b.add("", "")
	if listed {
		b.add("infrastructure:", "servers that every device may use, and no others of their kind")
	} else {
		b.add("# infrastructure:", "")
	}
	b.flush()
	b.out.Write(all.out.Bytes())
	var routers []string
	for _, x := range w.items {
		if x.d.Router {
			routers = append(routers, strings.TrimSpace(x.ip.String()+" "+x.name))
		}
	}
	if len(routers) > 0 {
		b.add("  # gateways: "+shorten(routers), "")
	}
	b.flush()
}

// servers lists the servers of one kind that were used and answered, and reports whether there are any. Syslog servers never answer.
func (w *draft) servers(b *lines, kind string) bool {
	all := map[string]*server{}
	for k, s := range w.uses {
		if k.kind != kind {
			continue
		}
		spec, name := w.serverSpec(&k)
		if all[spec] == nil {
			all[spec] = &server{spec: spec, name: name, clients: map[uint32]bool{}}
		}
		x := all[spec]
		x.clients[k.dev] = true
		x.sessions, x.answered = x.sessions+s.sessions, x.answered+s.answered
	}
	var good, bad []*server
	for _, spec := range slices.Sorted(maps.Keys(all)) {
		if x := all[spec]; x.answered > 0 || kind == "syslog" {
			good = append(good, x)
		} else {
			bad = append(bad, x)
		}
	}
	switch {
	case len(good) > maxServers:
		b.add(fmt.Sprintf("  # %s: %d servers answered: too many to list, so any server counts", kind, len(good)), "")
	case len(good) == 0 && len(bad) == 0:
		b.add(fmt.Sprintf("  # %s: no server was seen, so any server counts", kind), "")
	case len(good) == 0:
		b.add(fmt.Sprintf("  # %s: no server answered, so any server counts", kind), "")
	default:
		b.add("  "+kind+":", "")
		for _, x := range good {
			b.add("    - "+quote(x.spec), x.comment())
		}
	}
	for _, x := range bad {
		if len(good) > 0 && len(good) <= maxServers {
			b.add("    # - "+quote(x.spec), "review: never answered; "+x.comment())
		}
	}
	b.flush()
	return len(good) > 0 && len(good) <= maxServers
}

func (x *server) comment() string {
	text := fmt.Sprintf("%s of %s", terminal.Counted(x.sessions, "session"), counted(len(x.clients), "device"))
	if x.name != "" {
		text = x.name + ": " + text
	}
	return text
}

// serverSpec returns how the inventory names a server: by its DNS name if it is outside.
func (w *draft) serverSpec(k *useKey) (spec, name string) {
	if d := w.reg.ByIP(k.server); d != nil && w.byID[d.ID] != nil {
		return k.server.Unmap().String(), w.byID[d.ID].name
	}
	if text := w.peerText(&callKey{to: k.server, name: k.name}, nil); text != "" {
		return text, ""
	}
	return k.server.Unmap().String(), ""
}

// device writes a device: what it is, what it answers, what is proposed.
func (w *draft) device(b *lines, x *item) {
	for _, s := range w.describe(x) {
		b.add("  # "+s, "")
	}
	b.add("  - name: "+quote(x.name), "")
	if !x.mac.IsZero() {
		b.add("    match: {mac: "+strconv.Quote(x.mac.String())+"}", "")
	} else {
		b.add("    match: {ip: "+quote(x.ip.String())+"}", "")
	}
	b.flush()
	b.add("    expect: "+x.expect.String(), x.reason)
	allowed := x.allowed
	comment := "" // a device that may do anything needs no entries; they show what it did
	if x.expect.String() == "normal" {
		comment = "# "
	}
	shown := allowed[:min(len(allowed), maxEntries)]
	if comment != "" {
		shown = allowed[:min(len(allowed), maxReview)]
	}
	if len(shown) > 0 {
		if comment == "" {
			b.flush()
			b.add("    allow:", "")
		} else {
			b.flush()
			b.add("    # It opened:", "")
		}
		b.flush()
		for _, e := range shown {
			b.add(fmt.Sprintf("      %s- %s", comment, e.text()), e.comment())
		}
		if n := len(allowed) - len(shown); n > 0 {
			b.add(fmt.Sprintf("      # and %d more", n), "")
		}
	}
	b.flush()
	w.reviews(b, x)
}

// reviews writes the calls that are not allowed, by reason.
func (w *draft) reviews(b *lines, x *item) {
	if len(x.review) == 0 {
		return
	}
	byReason := map[string][]entry{}
	for _, e := range x.review {
		byReason[e.review] = append(byReason[e.review], e)
	}
	left := maxReview
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		all := byReason[reason]
		n := min(len(all), max(left, 1))
		left -= n
		b.add("    # review: "+reason, "")
		b.flush()
		for _, e := range all[:n] {
			b.add("    #   - "+e.text(), e.comment())
		}
		if rest := len(all) - n; rest > 0 {
			b.add(fmt.Sprintf("    #   and %d more", rest), "")
		}
		b.flush()
	}
}

// describe returns the comments above a device.
func (w *draft) describe(x *item) (all []string) {
	d := x.d
	what := "unknown role"
	if x.serves != "" {
		what += ", " + strings.ToUpper(x.serves) + " server by use"
	}
	if d.Level != device.LevelUnknown {
		what = fmt.Sprintf("%s (%s)", d.Role, d.Level)
	}
	if v := strings.TrimSpace(d.Vendor + " " + d.Model); v != "" {
		what = v + ", " + what
	}
	if len(d.Evidence) > 0 {
		e := &d.Evidence[0]
		what += fmt.Sprintf("; strongest evidence: %s %q", strings.ReplaceAll(e.Source, "_", " "), detect.Clean(e.Value, 60))
	}
	all = append(all, detect.Clean(what, 200))
	var ips []string
	for _, a := range slices.SortedFunc(slices.Values(d.IPs), compareAddrs) {
		ips = append(ips, a.Unmap().String())
	}
	where := either(shorten(ips), "no IP address")
	if x.mac.IsZero() && !d.MAC.IsZero() {
		where += "; MAC " + d.MAC.String() + " is that of another device, too"
	}
	if d.RandomMAC {
		where += "; random MAC, it may change"
	}
	if len(d.Hostnames) > 0 {
		where += "; named " + shorten(d.Hostnames)
	}
	all = append(all, detect.Clean(where, 300))
	var serves []string
	for _, s := range d.Serves {
		text := fmt.Sprintf("%s/%d", s.Proto, s.Port)
		if s.App != "" {
			text += " " + s.App
		}
		if s.External {
			text += " (to the outside: review)"
		}
		serves = append(serves, text)
	}
	if len(serves) > 0 {
		all = append(all, "answers on "+shorten(serves))
	}
	for _, a := range w.alerts {
		if a.device == d.Key || slices.Contains(d.IPs, a.ip) {
			all = append(all, fmt.Sprintf("review: %s alert: %s", severities[a.severity], detect.Clean(a.title, 100)))
			break
		}
	}
	return all
}

// text returns an entry as YAML.
func (e *entry) text() string {
	parts := []string{"peer: " + quote(e.peer)}
	if e.proto != "" {
		parts = append(parts, "proto: "+e.proto)
	}
	switch p := portRanges(e.ports, e.proto); len(p) {
	case 0:
	case 1:
		parts = append(parts, "port: "+p[0])
	default:
		parts = append(parts, "ports: ["+strings.Join(p, ", ")+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// portRanges returns ports as YAML. Many high ports become one range: all of them for UDP, where media streams choose a new port each time.
func portRanges(ports []uint16, proto string) (out []string) {
	i, _ := slices.BinarySearch(ports, 1024)
	low, high := ports[:i], ports[i:]
	for _, p := range low {
		out = append(out, strconv.Itoa(int(p)))
	}
	switch {
	case len(high) > maxPorts && proto == "udp":
		return append(out, `"1024-65535"`)
	case len(high) > maxPorts:
		return append(out, fmt.Sprintf(`"%d-%d"`, high[0], high[len(high)-1]))
	}
	for _, p := range high {
		out = append(out, strconv.Itoa(int(p)))
	}
	return out
}

// comment says what was seen of an entry.
func (e *entry) comment() string {
	text := terminal.Counted(e.sessions, "session")
	if len(e.apps) > 0 {
		text = strings.Join(e.apps, ", ") + ", " + text
	}
	if n := len(e.ports); n > maxPorts {
		text += fmt.Sprintf(", %d ports", n)
	}
	if e.oneWay && e.review == "" {
		text += ", one way"
	}
	if e.also != "" && e.also != e.peer && !strings.HasPrefix(e.peer, "*.") {
		text += ", also known as " + e.also
	}
	return detect.Clean(text, 120)
}

// quote returns text as a YAML scalar that is read as that text.
func quote(s string) string {
	if plainScalar(s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// plainScalar reports whether YAML reads s as text without quotes, in a block and in braces.
func plainScalar(s string) bool {
	switch strings.ToLower(s) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	prefix := strings.HasPrefix(s, "device:") || strings.HasPrefix(s, "zone:")
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		digit := r >= '0' && r <= '9'
		switch {
		case letter, digit && (i > 0 || strings.Count(s, ".") == 3):
		case i > 0 && (r == '.' || r == '-' || r == '_' || r == '/'):
		case i > 0 && r == ':' && prefix && strings.Count(s, ":") == 1:
		case i > 0 && i < len(s)-1 && r == ' ':
		default:
			return false
		}
	}
	return true
}
