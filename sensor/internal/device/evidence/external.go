// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"math"
	"strings"

	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/fingerprint/recog"
)

// Weights of what databases of the operator say, in decibans. They tell a banner apart from others, but not how many devices of other vendors
// send it.
const (
	recogPoints = 15
	stackPoints = 3
)

// External holds the databases of the operator; each may be nil.
type External struct {
	Recog *recog.DB
	P0f   *fingerprint.P0f
}

// SetExternal sets the databases of the operator. What they said before stays with the devices until it is observed again.
func (c *Cache) SetExternal(x External) {
	c.external = x
	clear(c.banners)
}

// recogKinds maps words in a kind of device, as Recog names it, to roles. The first that fits counts.
var recogKinds = []struct {
	word  string
	roles []vote
}{
	{"print", []vote{{Printer, recogPoints}}},
	{"multifunction", []vote{{Printer, recogPoints}}},
	{"dvr", []vote{{NVR, recogPoints}}},
	{"nvr", []vote{{NVR, recogPoints}}},
	{"video recorder", []vote{{NVR, recogPoints}}},
	{"camera", []vote{{Camera, recogPoints}}},
	{"web cam", []vote{{Camera, recogPoints}}},
	{"webcam", []vote{{Camera, recogPoints}}},
	{"router", []vote{{NetworkGear, recogPoints}}},
	{"switch", []vote{{NetworkGear, recogPoints}}},
	{"firewall", []vote{{NetworkGear, recogPoints}}},
	{"wap", []vote{{NetworkGear, recogPoints}}},
	{"access point", []vote{{NetworkGear, recogPoints}}},
	{"wireless controller", []vote{{NetworkGear, recogPoints}}},
	{"load balancer", []vote{{NetworkGear, recogPoints}}},
	{"vpn", []vote{{NetworkGear, recogPoints}}},
	{"modem", []vote{{NetworkGear, recogPoints}}},
	{"nas", []vote{{Server, recogPoints}}},
	{"storage", []vote{{Server, recogPoints}}},
	{"hypervisor", []vote{{Server, recogPoints}}},
	{"lights out", []vote{{Server, recogPoints}}},
	{"laptop", []vote{{Workstation, recogPoints}}},
	{"desktop", []vote{{Workstation, recogPoints}}},
	{"mobile", []vote{{Phone, recogPoints}}},
	{"tablet", []vote{{Phone, recogPoints}}},
	{"power", []vote{{IoT, recogPoints}}},
	{"building", []vote{{IoT, recogPoints}}},
	{"monitoring", []vote{{IoT, recogPoints}}},
	{"smart tv", []vote{{IoT, recogPoints}}},
	{"media", []vote{{IoT, recogPoints}}},
	{"voip", []vote{{IoT, recogPoints}}},
}

// recogRules has the rule of each kind of device and tenth of certainty; the last kind is that of unknown devices.
var recogRules = func() (rules [][11]*rule) {
	for i := range len(recogKinds) + 1 {
		var list [11]*rule
		for tenths := range list {
			share := float64(tenths) / 10
			r := &rule{source: Recog, vendorPoints: recogPoints * share, modelPoints: recogPoints * share}
			if i < len(recogKinds) && tenths > 0 {
				for _, v := range recogKinds[i].roles {
					r.roles = append(r.roles, vote{v.role, v.points * share})
				}
			}
			list[tenths] = r
		}
		rules = append(rules, list)
	}
	return rules
}()

// recogKind returns the index of a kind of device in recogRules.
func recogKind(device string) int {
	low := strings.ToLower(device)
	for i := range recogKinds {
		if strings.Contains(low, recogKinds[i].word) {
			return i
		}
	}
	return len(recogKinds)
}

// recogNames are the names by which Recog's databases know the texts of a source.
var recogNames = [numSources]string{HTTPServer: "http_header.server", HTTPTitle: "html_title", HTTPRealm: "http_header.wwwauth", RTSPServer: "rtsp_header.server",
	RTSPRealm: "http_header.wwwauth", SSHServer: "ssh.banner", Certificate: "x509.subject", VendorClass: "dhcp_vendor_class", Banner: "banner", TXT: "txt",
	Discovery: "ssdp", DiscoveryUnchecked: "ssdp", DiscoveryForeign: "ssdp",
	SystemText: "snmp.sys_description", SystemAnswer: "snmp.sys_description"}

// recogBanners are the names of the databases for the protocols of banners.
var recogBanners = map[string]string{"ftp": "ftp.banner", "smtp": "smtp.banner", "pop3": "pop3.banner", "imap": "imap4.banner", "nntp": "nntp.banner",
	"telnet": "telnet_banners", "mysql": "mysql.banners", "sip": "sip_header.server", "sip client": "sip_header.user_agent"}

// Recog returns what the databases of Recog say of a value from the network, nil if nothing.
func (c *Cache) Recog(src Source, value string) *Statement {
	if c.external.Recog == nil || recogNames[src] == "" {
		return nil
	}
	k := cacheKey{src, value[:min(len(value), maxRecent)]}
	st, known := c.banners[k]
	if !known {
		if len(c.banners) >= maxStatements {
			clear(c.banners)
		}
		k.value = strings.Clone(k.value)
		st = c.recog(k.source, k.value)
		c.banners[k] = st
	}
	return st
}

func (c *Cache) recog(src Source, value string) *Statement {
	m, ok := c.recogMatch(src, value)
	if !ok {
		return nil
	}
	st := &Statement{source: Recog, value: Clean(sources[src].name + " " + value), observed: value, from: src}
	kind := recogKind(m.Device)
	st.rule = recogRules[kind][int(math.Round(10*m.Certainty))]
	vendor := m.Vendor
	if vendor == "" && kind < len(recogKinds) { // the system of an appliance is that of its vendor
		vendor = m.OSVendor
	}
	if vendor != "" {
		st.vendor, st.vendorPoints = enrich.Canonical(Clean(vendor)), st.rule.vendorPoints
	}
	st.model = Clean(m.Product)
	var notes []string
	for _, x := range [...][3]string{{"software", m.Service, m.ServiceVersion}, {"system", m.OS, m.OSVersion}, {"device", m.Device}} {
		if x[1] != "" {
			notes = append(notes, x[0]+"="+Clean(x[1]+" "+x[2]))
		}
	}
	st.note = strings.Join(notes, ", ")
	if st.note == "" && st.vendor == "" && st.model == "" {
		return nil
	}
	return st
}

// recogMatch looks a value up as the databases expect it.
func (c *Cache) recogMatch(src Source, value string) (m recog.Match, ok bool) {
	db, name := c.external.Recog, recogNames[src]
	switch src {
	case HTTPRealm, RTSPRealm: // the scheme is not part of the value
		if m, ok = db.Lookup(name, `Basic realm="`+value+`"`); ok {
			return m, ok
		}
		value = `Digest realm="` + value + `"`
	case SSHServer: // SSH-2.0-software
		_, rest, _ := strings.Cut(value, "-")
		_, value, _ = strings.Cut(rest, "-")
	case Banner:
		protocol, text, _ := strings.Cut(value, ": ")
		name, value = recogBanners[protocol], text
	case TXT:
		rest, isInfo := strings.CutPrefix(value, "_device-info._tcp ")
		if !isInfo {
			return m, false
		}
		name, value = "mdns.device-info.txt", rest
	case Discovery, DiscoveryUnchecked, DiscoveryForeign:
		rest, isName := strings.CutPrefix(value, "name ssdp ")
		if !isName {
			return m, false
		}
		name, value = "ssdp_header.server", rest
	}
	return db.Lookup(name, value)
}

// Rules of TCP/IP stacks: systems of desktops and phones. Systems of everything, such as Linux, have no role.
var (
	desktopStack = &rule{source: TCPStack, roles: []vote{{Workstation, stackPoints}, {Camera, -stackPoints}, {NVR, -stackPoints}}}
	phoneStack   = &rule{source: TCPStack, roles: []vote{{Phone, stackPoints}, {Camera, -stackPoints}, {NVR, -stackPoints}}}
	anyStack     = &rule{source: TCPStack}
)

// Stack returns what p0f's signatures say of a TCP/IP stack, nil if nothing.
func (c *Cache) Stack(s *fingerprint.Stack) *Statement {
	label := c.external.P0f.Match(s)
	if label == nil || label.Class == "!" { // a program, not a system
		return nil
	}
	return ofStack(Clean(label.String()), Clean(c.external.P0f.Link(s)))
}

// ofStack returns the statement of a system, with the kind of its link if that is known.
func ofStack(system, link string) *Statement {
	st := &Statement{source: TCPStack, rule: anyStack, value: system, observed: link, note: "system=" + system}
	if link != "" {
		st.note += ", link=" + link
	}
	switch name, _, _ := strings.Cut(system, " "); name {
	case "Windows", "Mac", "macOS":
		st.rule = desktopStack
	case "iOS", "Android":
		st.rule = phoneStack
	}
	return st
}
