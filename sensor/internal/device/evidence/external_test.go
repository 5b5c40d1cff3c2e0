// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/fingerprint/recog"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// The databases are written for these tests.
var recogFiles = map[string]string{
	"a.xml": `<fingerprints matches="http_header.wwwauth">
<fingerprint pattern="^Digest realm=&quot;Box (\d+)&quot;$"><param pos="0" name="hw.vendor" value="AXIS"/><param pos="0" name="hw.device" value="IP Camera"/><param pos="1" name="hw.product"/></fingerprint>
</fingerprints>`,
	"b.xml": `<fingerprints matches="ssh.banner">
<fingerprint pattern="^Acme_([\d.]+)"><param pos="0" name="service.product" value="Acme SSH"/><param pos="1" name="service.version"/><param pos="0" name="os.vendor" value="Cisco"/><param pos="0" name="os.product" value="IOS"/><param pos="0" name="os.device" value="Router"/><param pos="0" name="os.certainty" value="0.5"/></fingerprint>
</fingerprints>`,
	"c.xml": `<fingerprints matches="ftp.banner"><fingerprint pattern="^Plain$"><param pos="0" name="service.vendor" value="Cisco"/><param pos="0" name="service.product" value="FTP"/></fingerprint></fingerprints>`,
	"d.xml": `<fingerprints matches="ssdp_header.server"><fingerprint pattern="UPnP"><param pos="0" name="hw.device" value="Printer"/></fingerprint></fingerprints>`,
	"e.xml": `<fingerprints matches="mdns.device-info.txt"><fingerprint pattern="^model=X1$"><param pos="0" name="hw.device" value="Laptop"/></fingerprint></fingerprints>`,
	"f.xml": `<fingerprints matches="http_header.server"><fingerprint pattern="Nothing"><param pos="0" name="host.name" value="x"/></fingerprint></fingerprints>`,
}

func external(t *testing.T) *Cache {
	dir := t.TempDir()
	for name, text := range recogFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := recog.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	p0f, err := fingerprint.ParseP0f("f", []byte("[mtu]\nlabel = Ethernet\nsig = 1500\n[tcp:request]\nlabel = s:win:Windows:X\nsig = *:128:0:*:*,*:mss::0\n"+
		"label = s:unix:Other:\nsig = *:64:0:*:*,*:mss::0\nlabel = s:!:Tool:\nsig = *:32:0:*:*,*:mss::0\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := NewCache()
	c.SetExternal(External{Recog: db, P0f: p0f})
	return c
}

func says(c *Cache, st *Statement) string {
	if st == nil {
		return ""
	}
	list := c.List(Claims{{st, 0}}, nil, 9, 0)
	return list[0].Source + " " + list[0].Value + ": " + list[0].Says
}

func TestRecogStatements(t *testing.T) {
	c := external(t)
	for _, tc := range []struct {
		src         Source
		value, want string
	}{
		{HTTPRealm, "Box 12", "recog http_realm Box 12: role=camera +15, vendor=Axis +15, model=12 +15, device=IP Camera"},
		{RTSPRealm, "Box 7", "recog rtsp_realm Box 7: role=camera +15, vendor=Axis +15, model=7 +15, device=IP Camera"},
		{SSHServer, "SSH-2.0-Acme_1.5", "recog ssh_server SSH-2.0-Acme_1.5: role=network_gear +8, vendor=Cisco +8, software=Acme SSH 1.5, system=Cisco IOS, device=Router"},
		{Banner, "ftp: Plain", "recog banner ftp: Plain: software=Cisco FTP"}, // the vendor of software is not that of the device
		{Banner, "smtp: Plain", ""},
		{DiscoveryUnchecked, "name ssdp UPnP/1.0", "recog discovery_unchecked name ssdp UPnP/1.0: role=printer +15, device=Printer"},
		{TXT, "_device-info._tcp model=X1", "recog mdns_txt _device-info._tcp model=X1: role=workstation +15, device=Laptop"},
		{TXT, "_ipp._tcp model=X1", ""},
		{HTTPServer, "Nothing", ""}, // says nothing of use
		{HTTPServer, strings.Repeat("x", 10_000), ""},
		{Name, "Plain", ""},
	} {
		for range 2 { // the second time from the cache
			if got := says(c, c.Recog(tc.src, tc.value)); got != tc.want {
				t.Errorf("%q: %q, want %q", tc.value, got, tc.want)
			}
		}
	}
	if NewCache().Recog(HTTPRealm, "Box 12") != nil {
		t.Error("a statement without a database")
	}
}

// TestRecogIsBounded checks that a flood of banners does not fill the memory.
func TestRecogIsBounded(t *testing.T) {
	c := external(t)
	for i := range maxStatements + 100 {
		c.Recog(HTTPServer, strings.Repeat("a", i%400)+strings.Repeat("b", i/400))
	}
	if len(c.banners) > maxStatements {
		t.Errorf("%d banners", len(c.banners))
	}
}

func synOf(ttl uint8) *fingerprint.Stack {
	return fingerprint.StackOf(&packet.Packet{Kind: packet.KindTCP, TCPFlags: packet.SYN, TTL: ttl, IPID: 1, Seq: 1, TCPOptLen: 4,
		Body: append(append(make([]byte, 18), 0, 0), 2, 4, 5, 0xb4)})
}

func TestStackStatements(t *testing.T) {
	c := external(t)
	for ttl, want := range map[uint8]string{
		120: "tcp_stack Windows X: role=workstation +3, role=camera -3, role=nvr -3, system=Windows X, link=Ethernet",
		60:  "tcp_stack Other: system=Other, link=Ethernet",
		20:  "", // a program
	} {
		if got := says(c, c.Stack(synOf(ttl))); got != want {
			t.Errorf("TTL %d: %q, want %q", ttl, got, want)
		}
	}
	if NewCache().Stack(synOf(60)) != nil {
		t.Error("a statement without signatures")
	}
}

// TestExternalClaimsAreSaved checks that what databases said survives a restart; of Recog, if the database still says it.
func TestExternalClaimsAreSaved(t *testing.T) {
	c := external(t)
	claims := Claims{{c.Stack(synOf(120)), 5}, {c.Recog(HTTPRealm, "Box 12"), 6}}
	w := snapshot.Writer(nil)
	c.Walk(w, &claims)
	for name, tc := range map[string]struct {
		cache *Cache
		want  int
	}{"same databases": {external(t), 2}, "no databases": {NewCache(), 1}} {
		var got Claims
		r := snapshot.Reader(w.Bytes())
		tc.cache.Walk(r, &got)
		if err := r.Done(); err != nil || len(got) != tc.want {
			t.Fatalf("%s: %d claims, %v", name, len(got), err)
		}
		for i := range got {
			if !got[i].same(claims[i].Statement) && got[i].note != claims[i].note || got[i].At != claims[i].At {
				t.Errorf("%s: %v, want %v", name, got[i], claims[i])
			}
		}
	}
}
