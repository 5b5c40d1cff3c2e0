// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
)

const everything = `version: 1
site: hq
networks:
  internal: [10.20.0.0/16, "fd20:1::/48"]
zones:
  cameras: [10.20.30.0/24]
  "on": ["2001:db8::/32"]
infrastructure:
  dns: [10.20.1.53, 10.20.2.0/24]
  ntp: [10.20.1.123, "*.ntp.example.net"]
  syslog: []
devices:
  - name: srv-legacy-07
    match: {mac: "b8:ca:3a:00:00:17"}
    expect: silent
    owner: "=HYPERLINK(\"http://192.0.2.1\"), \"x\"; 'y'"
    criticality: high
    allow:
      - {direction: in, peer: 10.20.1.9, proto: tcp, port: 22}
      - {direction: out, peer: "*.updates.example.com", proto: tcp, port: 443}
      - {peer: "2001:db8::1"}
      - {direction: out}
      - {direction: in}
      - {ports: [80, "8000-8010"]}
    maintenance:
      - {days: [sun, wed], from: "02:00", to: "04:00", zone: Europe/Berlin}
      - {from: "22:00", to: "24:00"}
      - {days: [], from: "22:00", to: "01:00"}
  - name: "-3"
    match: {ip: 10.20.31.5}
    expect: allowlist
    owner: " '=1+1 "
    allow:
      - {peer: zone:cameras, proto: tcp, ports: [80, 554, "8000-8010"]}
      - {peer: device:srv-legacy-07, proto: icmp}
      - {peer: zone:on, proto: udp}
  - name: "null"
    match: {ip: "fd20:1::5"}
    owner: "@SUM(A1)"
  - name: all-cameras
    match: {prefix: 10.20.30.0/24}
    expect: server_only
  - name: axis
    match: {vendor: "Axis Communications: x"}
    expect: normal
  - name: printers
    match: {role: printer}
    owner: "two\nlines\t"
`

// same compares inventories without their documents. Time zones are compared by name.
func same(a, b *contract.Inventory) bool {
	text := func(inv *contract.Inventory) string {
		c := *inv
		c.Source, c.Devices = nil, nil
		out := fmt.Sprintf("%#v\n", c)
		for _, e := range inv.Devices {
			for _, w := range e.Maintenance {
				out += fmt.Sprint(w.Days, w.From, w.To, w.Zone, "\n")
			}
			e.Maintenance = nil
			out += fmt.Sprintf("%#v\n", e)
		}
		return out
	}
	return text(a) == text(b)
}

func TestRoundTrip(t *testing.T) {
	inv, err := config.ParseInventory("x.yaml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	var first bytes.Buffer
	if err := Export(&first, inv); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(first.String()) {
		for cell := range strings.SplitSeq(line, ",") {
			if c := strings.TrimLeft(cell, `" `); c != "" && strings.IndexByte("=+-@\t", c[0]) >= 0 {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	text, err := Import(&first, "x.csv", inv)
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.ParseInventory("y.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if !same(inv, again) {
		t.Errorf("%s\ngives\n%+v\nwant\n%+v", text, again, inv)
	}
}

// TestImportOfNetBox reads what NetBox exports: names of columns as on its pages, columns that mean nothing here, addresses with masks.
func TestImportOfNetBox(t *testing.T) {
	const src = "\xef\xbb\xbfName;Status;Tenant;Site;Location;Rack;Role;Manufacturer;Type;IPv4 Address;MAC Address;Serial number;Expect\r\n" +
		"cam-gate-2;active;facility;hq;gate;R1;Camera;Axis;P3245-V;10.20.30.12/24;;X1\n;silent\r\n"
	text, err := Import(strings.NewReader(strings.Replace(src, "X1\n", "\"X1\ninjected: true\"", 1)), "n.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `# Columns that were ignored: Rack.
version: 1
site: hq
devices:
  # role Camera; manufacturer Axis; device type P3245-V; serial X1` + "\ufffd" + `injected: true; location gate
  - name: cam-gate-2
    match: {ip: 10.20.30.12}
    expect: silent
    owner: facility
`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestImportErrors(t *testing.T) {
	const head = "name,mac_address,primary_ip4,cf_expect,cf_allow,cf_maintenance\n"
	for _, tt := range []struct{ what, src, want string }{
		{"empty", "", "f.csv:1:1: the file is empty: the first line must name the columns"},
		{"no names", "mac_address\n00:11:22:33:44:55\n", "f.csv:1:1: there is no column name"},
		{"a column twice", "name,mac,mac_address\n", "f.csv:1:3: two columns are mac_address"},
		{"a quote", head + "a,\"b\"c,,,,\n", "f.csv:2:5: not valid CSV"},
		{"too few cells", head + "a,00:11:22:33:44:55\n", "f.csv:2:1: 2 cells, but the first line names 6 columns"},
		{"no name", head + ",00:11:22:33:44:55,,,,\n", "f.csv:2:1: the row has no name"},
		{"nothing identifies it", head + "a,,,silent,,\n", "f.csv:2:1: nothing identifies the device"},
		{"a MAC", head + "a,00:11:22:33:44,,,,\n", `f.csv:2:3: column mac_address: mac: "00:11:22:33:44" is not the MAC address`},
		{"an address", head + "\na,,10.0.0.300/24,,,\n", `f.csv:3:4: column primary_ip4: ip: "10.0.0.300" is not an IP address`},
		{"an expectation", head + "a,,10.0.0.3,quiet,,\n", "f.csv:2:13: column cf_expect: expect must be one of"},
		{"a port", head + "a,,10.0.0.3,,out tcp x to 10.0.0.1,\n", `f.csv:2:14: column cf_allow: "out tcp x to 10.0.0.1": "x" is no port`},
		{"a direction", head + "a,,10.0.0.3,,in tcp 22 to 10.0.0.1,\n", `f.csv:2:14: column cf_allow: "in tcp 22 to 10.0.0.1": write`},
		{"a zone", head + "a,,10.0.0.3,,out to zone:x,\n", `f.csv:2:14: column cf_allow: peer: there is no zone "x"`},
		{"a window", head + "a,,10.0.0.3,,,sunday\n", "f.csv:2:15: column cf_maintenance:"},
		{"a name twice", head + "a,,10.0.0.3,,,\na,,10.0.0.4,,,\n", `f.csv:3:1: column name: device name "a" is already used in line 2`},
		{"not UTF-8", head + "a,,10.0.0.3,\xff,,\n", "f.csv:2:13: column cf_expect: the cell is not UTF-8 text"},
		{"a large cell", head + "a,,10.0.0.3," + strings.Repeat("x", maxCell+1) + ",,\n", "f.csv:2:13: column cf_expect: the cell is larger than 64 KiB"},
	} {
		_, err := Import(strings.NewReader(tt.src), "f.csv", nil)
		var all config.Errors
		if !errors.As(err, &all) || len(all) != 1 || !strings.HasPrefix(all[0].String(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.what, err, tt.want)
		}
	}
}

// FuzzImport checks that no CSV makes the import panic, that what it accepts is valid, and that this survives an export.
func FuzzImport(f *testing.F) {
	inv, err := config.ParseInventory("x.yaml", []byte(everything))
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := Export(&b, inv); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("Name;MAC;Allow\na;00:11:22:33:44:55;out\n"))
	f.Add([]byte("name,cf_match,tenant,cf_maintenance\n'=x,role camera,\"a\nb\",none 1:00-2:00\n"))
	mutate.Fuzz(f, func(t *testing.T, src []byte) {
		text, err := Import(bytes.NewReader(src), "f.csv", nil)
		if err != nil {
			return
		}
		one, err := config.ParseInventory("f.yaml", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var out bytes.Buffer
		if err := Export(&out, one); err != nil {
			t.Fatal(err)
		}
		text, err = Import(&out, "g.csv", one)
		if err != nil {
			t.Fatal(err)
		}
		two, err := config.ParseInventory("g.yaml", text)
		if err != nil || !bytes.ContainsRune(src, '\r') && !same(one, two) { // CSV has one kind of line ending only
			t.Fatalf("%v\n%+v\n%+v", err, one, two)
		}
	})
}
