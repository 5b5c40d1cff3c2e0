// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// lightbulb is a file with the structure of the example in RFC 8520, section 9.
func lightbulb(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/lightbulb.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mudWith returns a file whose list from the device has the given ACEs, and whose list to the device has others.
func mudWith(from, to string) []byte {
	return fmt.Appendf(nil, `{"ietf-mud:mud": {"mud-version": 1, "mud-url": "https://v.example/cam.json", "last-update": "2026-03-01T09:00:00Z", "is-supported": true,
		"from-device-policy": {"access-lists": {"access-list": [{"name": "fr"}]}}, "to-device-policy": {"access-lists": {"access-list": [{"name": "to"}]}}},
		"ietf-access-control-list:acls": {"acl": [{"name": "fr", "type": "ipv4-acl-type", "aces": {"ace": [%s]}}, {"name": "to", "type": "ipv4-acl-type", "aces": {"ace": [%s]}}]}}`, from, to)
}

func ace(name, matches string) string {
	return fmt.Sprintf(`{"name": %q, "matches": {%s}, "actions": {"forwarding": "accept"}}`, name, matches)
}

func mudLines(t *testing.T, b []byte, controllers map[string]PeerKey) (out []string) {
	t.Helper()
	f, err := ParseMUD(b)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := f.Entries(controllers)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.String())
	}
	return out
}

func TestEntriesOfAMUDFile(t *testing.T) {
	const tcp = `"ipv4": {"protocol": 6}`
	all := map[string]PeerKey{MyController: peerKey(t, "10.20.1.9"), "https://v.example/hub": peerKey(t, "zone hubs")}
	for _, c := range []struct {
		name, from, to string
		want           []string
	}{
		{"a name", ace("a", `"ipv4": {"ietf-acldns:dst-dnsname": "API.v.example.", "protocol": 6}, "tcp": {"destination-port": {"operator": "eq", "port": 443}}`), "",
			[]string{"out tcp 443 to api.v.example (mud, ACL fr, ACE a)"}},
		{"an answer", ace("a", tcp+`, "tcp": {"ietf-mud:direction-initiated": "to-device", "source-port": {"operator": "eq", "port": 80}}`),
			ace("b", tcp+`, "tcp": {"ietf-mud:direction-initiated": "to-device", "destination-port": {"operator": "eq", "port": 80}}, "ietf-mud:mud": {"local-networks": [null]}`),
			[]string{"in tcp 80 from inside (mud, ACL to, ACE b)"}},
		{"an answer over UDP", ace("a", `"udp": {"source-port": {"operator": "eq", "port": 161}}`), ace("b", `"udp": {"destination-port": {"operator": "eq", "port": 161}}`),
			[]string{"in udp 161 from anyone (mud, ACL to, ACE b)"}},
		{"a range, and a port that hosts assign themselves", ace("a", `"udp": {"destination-port": {"lower-port": 8000, "upper-port": 8010}}`) + "," + ace("b", `"tcp": {"destination-port": {"operator": "eq", "port": 50000}}`), "",
			[]string{"out tcp 50000 to anyone (mud, ACL fr, ACE b)", "out udp 8000-8010 to anyone (mud, ACL fr, ACE a)"}},
		{"operators", ace("a", `"tcp": {"destination-port": {"operator": "gte", "port": 1024}}`) + "," + ace("b", `"tcp": {"destination-port": {"operator": "lte", "port": 80}}`) + "," + ace("c", `"udp": {"destination-port": {"operator": "neq", "port": 53}}`), "",
			[]string{"out tcp 0-80 to anyone (mud, ACL fr, ACE b)", "out tcp 1024-65535 to anyone (mud, ACL fr, ACE a)", "out udp 0-52 to anyone (mud, ACL fr, ACE c)", "out udp 54-65535 to anyone (mud, ACL fr, ACE c)"}},
		{"classes", ace("a", `"ietf-mud:mud": {"same-manufacturer": [null]}, `+tcp) + "," + ace("b", `"ietf-mud:mud": {"manufacturer": "other.example"}`) + "," + ace("c", `"ietf-mud:mud": {"model": "https://v.example/nvr"}`) + "," +
			ace("d", `"ietf-mud:mud": {"my-controller": [null]}`) + "," + ace("e", `"ietf-mud:mud": {"controller": "https://v.example/hub"}`), "",
			[]string{"out any to zone hubs (mud, ACL fr, ACE e)", "out any to 10.20.1.9 (mud, ACL fr, ACE d)", "out any to manufacturer other.example (mud, ACL fr, ACE b)",
				"out tcp any to manufacturer v.example (mud, ACL fr, ACE a)", "out any to model https://v.example/nvr (mud, ACL fr, ACE c)"}},
		{"networks", ace("a", `"ipv4": {"destination-ipv4-network": "203.0.113.0/24", "protocol": 1}`) + "," + ace("b", `"ipv4": {"destination-ipv4-network": "10.20.0.0/16"}`), "",
			[]string{"out any to 10.20.0.0/16 (mud, ACL fr, ACE b)", "out icmp to 203.0.113.0/24 (mud, ACL fr, ACE a)"}},
		{"infrastructure", ace("a", `"ietf-mud:mud": {"controller": "urn:ietf:params:mud:dns"}, "udp": {"destination-port": {"operator": "eq", "port": 53}}`), "", nil},
		{"what is dropped at the end", ace("a", `"udp": {"destination-port": {"operator": "eq", "port": 9}}`) + `, {"name": "z", "matches": {}, "actions": {"forwarding": "drop"}}`, "",
			[]string{"out udp 9 to anyone (mud, ACL fr, ACE a)"}},
	} {
		if got := mudLines(t, mudWith(c.from, c.to), all); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if got, want := mudLines(t, lightbulb(t), nil), []string{"out tcp 443 to test.example.com (mud, ACL mud-76100-v6fr, ACE cl0-frdev)"}; !slices.Equal(got, want) {
		t.Errorf("the example of the RFC: %q", got)
	}
}

func TestBadMUDFiles(t *testing.T) {
	good := string(lightbulb(t))
	for _, c := range []struct{ text, want string }{
		{"{", "no MUD file"},
		{"[]", "no MUD file"},
		{strings.Replace(good, `"mud-version": 1`, `"mud-version": 2`, 1), "mud-version is 2"},
		{strings.Replace(good, "https://lighting", "http://lighting", 1), "no https URL"},
		{strings.Replace(good, "https://lighting.example.com", "https://user@lighting.example.com", 1), "no https URL"},
		{strings.Replace(good, "2026-02-28T11:20:51+01:00", "yesterday", 1), "last-update"},
		{strings.Replace(good, `"is-supported": true,`, "", 1), "is-supported is missing"},
		{strings.Replace(good, `"cache-validity": 48`, `"cache-validity": 500`, 1), "cache-validity"},
		{strings.Replace(good, `"name": "mud-76100-v6fr",`, `"name": "other",`, 1), `the ACL "mud-76100-v6fr", which is missing`},
		{strings.Replace(good, "ipv6-acl-type", "eth-acl-type", 1), `type "eth-acl-type"`},
		{strings.Replace(good, `"protocol": 6`, `"dscp": 6`, 1), "not supported"},
		{strings.Replace(good, `"accept"`, `"allow"`, 1), "none of accept, drop and reject"},
		{strings.Replace(good, `"ietf-acldns:dst-dnsname"`, `"ietf-acldns:src-dnsname"`, 1), "about the address of the device itself"},
		{strings.Replace(good, `direction-initiated": "from-device"`, `direction-initiated": "inward"`, 2), "neither from-device nor to-device"},
		{strings.Replace(good, `"operator": "eq"`, `"operator": "like"`, 2), "none of eq"},
		{strings.ReplaceAll(good, `"protocol": 6`, `"protocol": 17`), "it has ports of tcp"},
		{string(mudWith(ace("a", `"ietf-mud:mud": {"my-controller": [null]}`), "")), "who is the controller \"my-controller\""},
		{string(mudWith(ace("a", `"ietf-mud:mud": {"my-controller": [null], "local-networks": [null]}`), "")), "my-controller"},
		{string(mudWith(ace("a", `"ietf-mud:mud": {"manufacturer": "a.example", "local-networks": [null]}`), "")), "two ways"},
		{string(mudWith(ace("a", "")+","+ace("a", ""), "")), "a printable name of its own"},
		{string(mudWith(`{"name": "z", "matches": {}, "actions": {"forwarding": "drop"}},`+ace("a", ""), "")), "stands behind z, which drops"},
		{string(mudWith(ace("a", `"ipv6": {"protocol": 6}`), "")), "another version of IP"},
		{string(mudWith(ace("a", `"tcp": {}, "udp": {}`), "")), "both TCP and UDP"},
		{string(mudWith(ace("a", `"tcp": {"destination-port": {"lower-port": 9, "upper-port": 3}}`), "")), "no range"},
		{string(mudWith(ace("a", `"ipv4": {"destination-ipv4-network": "10.0.0.0/99"}`), "")), "no network"},
		{strings.Repeat(" ", MaxMUDFile+1), "more than"},
	} {
		f, err := ParseMUD([]byte(c.text))
		if err == nil {
			_, err = f.Entries(nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.200s: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestViolationNamesTheACE checks sessions by an imported file: what it allows is allowed in every state, and what it does not allow has the nearest ACE.
func TestViolationNamesTheACE(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	f, err := ParseMUD(lightbulb(t))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := f.Entries(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.FirstSeen, d.LastOrigination = r.now, r.now // it is not idle
	if err := r.l.ImportMUD(d.Key, entries, r.now); err != nil {
		t.Fatal(err)
	}
	allowed, other := r.view(d, session.Out, "198.51.100.7:443", 0), r.view(d, session.Out, "198.51.100.7:8443", 0)
	if v := r.book.Check(d, session.Out, allowed, nil, "test.example.com", nil, r.now); !v.Allowed {
		t.Errorf("%+v", v)
	}
	if v := r.book.Check(d, session.Out, other, nil, "test.example.com", nil, r.now); !v.Allowed || v.Broken != "" {
		t.Errorf("an alert before the contract is armed: %+v", v)
	}
	if err := r.l.Arm(d.Key, false, r.now); err != nil {
		t.Fatal(err)
	}
	const near = "nearest: out tcp 443 to test.example.com (mud, ACL mud-76100-v6fr, ACE cl0-frdev)"
	for name, v := range map[string]*session.View{"test.example.com": other, "other.example.com": allowed} {
		if got := r.book.Check(d, session.Out, v, nil, name, nil, r.now); got.Allowed || !strings.Contains(got.Broken, near) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if v := r.book.Check(d, session.Out, allowed, nil, "test.example.com", nil, r.now); !v.Allowed || v.Entry == "" {
		t.Errorf("%+v", v)
	}
	// Another file replaces it.
	if err := r.l.ImportMUD(d.Key, nil, r.now); err != nil || len(r.l.Of(d).Entries(true)) != 0 {
		t.Errorf("%v, %d entries", err, len(r.l.Of(d).Entries(true)))
	}
}

// TestPeersOfMUD checks classes: they go by the MUD URL of the other end, which is a device.
func TestPeersOfMUD(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	lamp := &device.Device{ID: 9, Key: "lamp", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, MUDURL: "https://V.example/lamp"}
	for _, c := range []struct {
		entry, far string
		peer       *device.Device
		want       bool
	}{
		{"out tcp any to manufacturer v.example", "10.0.0.9:80", lamp, true},
		{"out tcp any to manufacturer other.example", "10.0.0.9:80", lamp, false},
		{"out tcp any to model https://V.example/lamp", "10.0.0.9:80", lamp, true},
		{"out tcp any to model https://v.example/hub", "10.0.0.9:80", lamp, false},
		{"out tcp any to manufacturer v.example", "10.0.0.8:80", nil, false},
		{"out any to inside", "10.0.0.8:80", nil, true},
		{"out any to inside", "198.51.100.9:80", nil, false},
		{"out tcp 80 to outside", "198.51.100.9:80", nil, true},
		{"out tcp 8000-8010 to anyone", "198.51.100.9:8010", nil, true},
		{"out tcp 8000-8010 to anyone", "198.51.100.9:8011", nil, false},
		{"out tcp 50000 to anyone", "198.51.100.9:50000", nil, true},
		{"out tcp 50000 to anyone", "198.51.100.9:50001", nil, false},
		{"out tcp dynamic to anyone", "198.51.100.9:50001", nil, true},
		{"out udp any to anyone", "198.51.100.9:80", nil, false},
		{"out tcp 443 to 198.51.100.0/24", "198.51.100.9:443", nil, true}, // although it has a name
	} {
		k, err := ParseKey(c.entry)
		if err != nil {
			t.Fatal(err)
		}
		v := r.view(d, session.Out, c.far, 0)
		name := ""
		if c.peer == nil && strings.HasPrefix(c.far, "198.") {
			name = "www.example.com"
		}
		x := r.book.ContactOf(session.Out, v, "", name, c.peer)
		e := &LearnedEntry{Key: k, From: ProvMUD, Learned: true}
		if got := e.evaluate(&x, r.now) == Allows; got != c.want {
			t.Errorf("%s, %s: %v", c.entry, c.far, got)
		}
	}
}

// TestExportMUD exports a contract, and reads the file again: it allows the same.
func TestExportMUD(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	if err := r.l.ImportMUD(d.Key, nil, r.now); err != nil {
		t.Fatal(err)
	}
	lines := []string{"out tcp 443 to api.v.example", "out udp 8000-8010 to 203.0.113.0/24", "out tcp 22 to 2001:db8::/48", "out icmp to inside", "out tcp dynamic to 10.20.0.9", "out udp dynamic to 10.20.0.9",
		"out any to manufacturer v.example", "out tcp any to model https://v.example/nvr", "out tcp 554 to device nvr-1", "out tcp 80 to zone cameras", "in tcp 80 from inside", "in udp 161 from anyone"}
	for _, s := range append(slices.Clone(lines), "out tcp 443 to *.cdn.example", "out tcp 443 to AS64500 DE", "out tcp 25 to mail.example.com", "out udp 9 to bad.example.com") {
		k, err := ParseKey(s)
		if err != nil {
			t.Fatal(err)
		}
		e, err := r.l.Approve(d.Key, k, r.now)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s, "mail") {
			e.Hours, _ = ParseHours("mon 08-09")
		}
		e.Refuse = strings.Contains(s, "bad")
	}
	f, left, err := r.l.Of(d).ExportMUD("https://v.example/cam.json", r.now)
	if err != nil || len(left) != 3 {
		t.Fatalf("%v, left out: %q", err, left)
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`"port":0}`, "null,", `"bad.example.com"`, "mail.example.com"} {
		if strings.Contains(strings.ReplaceAll(string(b), "[null]", ""), bad) {
			t.Errorf("%s is in %s", bad, b)
		}
	}
	var got []string
	for _, s := range mudLines(t, b, map[string]PeerKey{"https://v.example/cam.json#device-nvr-1": peerKey(t, "device nvr-1"), "https://v.example/cam.json#zone-cameras": peerKey(t, "zone cameras")}) {
		text, _, _ := strings.Cut(s, " (mud")
		got = append(got, text)
	}
	want := slices.Clone(lines)
	for i := range want {
		want[i] = map[string]string{"out tcp dynamic to 10.20.0.9": "out tcp 49152-65535 to 10.20.0.9", "out udp dynamic to 10.20.0.9": "out udp 32768-65535 to 10.20.0.9"}[want[i]]
		if want[i] == "" {
			want[i] = lines[i]
		}
	}
	want = append(want, "in any from manufacturer v.example", "in icmp from inside") // an ACE without ports does not say who begins
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, _, err := r.l.Of(d).ExportMUD("http://v.example/", r.now); err == nil {
		t.Error("a URL that is not https is accepted")
	}
}

// TestExportOfTheExample imports the example of the RFC and exports it: one ACE for each direction of packets and version of IP, of which that for IPv6 is
// that of the example but for the names.
func TestExportOfTheExample(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	was, err := ParseMUD(lightbulb(t))
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := was.Entries(nil)
	if err := r.l.ImportMUD(d.Key, entries, r.now); err != nil {
		t.Fatal(err)
	}
	f, left, err := r.l.Of(d).ExportMUD(was.MUD.URL, r.now)
	if err != nil || len(left) > 0 || len(f.ACLs.ACL) != 4 {
		t.Fatalf("%v, %q, %+v", err, left, f)
	}
	text := func(l *MUDList) string {
		b, _ := json.Marshal(l.ACEs.ACE[0].Matches)
		return string(b)
	}
	for i, k := range map[int]int{1: 1, 3: 0} { // from-ipv6 and to-ipv6
		if got, want := text(&f.ACLs.ACL[i]), text(&was.ACLs.ACL[k]); got != want {
			t.Errorf("%s is\n%s\nand was\n%s", f.ACLs.ACL[i].Name, got, want)
		}
	}
}

func FuzzParseMUD(f *testing.F) {
	f.Add(lightbulb(f))
	f.Add(mudWith(ace("a", `"ietf-mud:mud": {"same-manufacturer": [null]}, "tcp": {"destination-port": {"operator": "neq", "port": 0}}`), ace("b", `"udp": {"source-port": {"lower-port": 1}}`)))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		m, err := ParseMUD(b)
		if err != nil {
			return
		}
		entries, err := m.Entries(nil)
		if err != nil {
			return
		}
		for _, e := range entries {
			if k, err := ParseKey(e.Key.String()); err != nil || k != e.Key {
				t.Errorf("%+v is written %q, and read %+v (%v)", e.Key, e.Key, k, err)
			}
		}
	})
}
