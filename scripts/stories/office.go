// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// firstDay is a Monday. The attacks are on the ninth day, so that a device can be idle for more than a week before.
var firstDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const days = 9

func day(d int, h, m, s int) time.Time {
	return firstDay.AddDate(0, 0, d).Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
}

// device is a host with its entries in the inventory and the README.
type device struct {
	host        *netsim.Host
	what        string
	expect      string
	owner       string
	criticality string
	allow       []allow
	maintenance bool
	lease       netsim.Lease // if the host name is empty, there is no DHCP client
}

type allow struct {
	direction, peer, proto string
	port                   int
}

// camera is a device in the camera zone.
type camera struct {
	*device
	brand brand
	info  netsim.Camera
}

// office is the network of the stories. recorder is the host that streams from the cameras.
type office struct {
	*netsim.Net
	devices                         []*device
	router, dns, ntp, monitor       *device
	legacy, files, backup, vms, nvr *device
	operator, clerk                 *device
	recorder                        *device
	cams                            []*camera
	web, updates                    *netsim.Host
	password                        string // of the cameras, stored on the recorder
	oldFirmware                     bool
}

// plan has the differences between the offices of the stories.
type plan struct {
	cameras     []int
	vmsRecords  bool // the platform streams from the cameras itself; there is no recorder
	oldFirmware bool
}

func newOffice(seed uint64, p plan) *office {
	o := &office{Net: netsim.New(seed), password: "Fj0rd-Larch-92", oldFirmware: p.oldFirmware}
	o.addInfrastructure()
	o.addServers(p)
	for _, i := range p.cameras {
		o.addCamera(i)
	}
	o.operator = o.add("ws-operator", "10.20.50.21", "00:1e:c9:00:00:21", netsim.Windows, "the guard's workstation", "normal", "security desk", "low")
	o.operator.lease = netsim.Lease{Hostname: "ws-operator", VendorClass: "MSFT 5.0", Params: []byte{1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252}}
	o.clerk = o.add("ws-clerk", "10.20.50.22", "00:1e:c9:00:00:22", netsim.Windows, "an office workstation", "normal", "office", "low")
	o.clerk.lease = netsim.Lease{Hostname: "ws-clerk", VendorClass: "MSFT 5.0", Params: o.operator.lease.Params}
	o.web = o.External("198.51.100.80", netsim.Linux, 18*time.Millisecond)
	o.updates = o.External("192.0.2.80", netsim.Linux, 25*time.Millisecond)
	o.permit()
	return o
}

func (o *office) addInfrastructure() {
	r := o.Router("10.20.1.1", "00:1b:54:00:00:01")
	o.router = &device{host: r, what: "router to the outside, DHCP server", expect: "normal", owner: "network team", criticality: "high"}
	o.devices = append(o.devices, o.router)
	o.dns = o.add("dns", "10.20.1.53", "ac:1f:6b:00:01:53", netsim.Linux, "resolver", "normal", "network team", "high")
	o.ntp = o.add("ntp", "10.20.1.123", "ac:1f:6b:00:01:7b", netsim.Linux, "time server, ntp.example.net", "normal", "network team", "medium")
	o.monitor = o.add("monitor", "10.20.1.9", "ac:1f:6b:00:01:09", netsim.Linux, "monitoring: connects to port 22 of the servers, pings", "normal", "network team", "medium")
}

func (o *office) addServers(p plan) {
	o.legacy = o.add("srv-legacy-07", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux, "server that nobody uses any more; SSH answers", "silent", "infrastructure team", "high")
	o.legacy.maintenance = true
	o.legacy.lease = netsim.Lease{Hostname: "srv-legacy-07", Params: []byte{1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42}}
	o.files = o.add("srv-files", "10.20.10.21", "ac:1f:6b:00:00:21", netsim.Linux, "file server", "allowlist", "infrastructure team", "high")
	o.backup = o.add("srv-backup", "10.20.10.40", "ac:1f:6b:00:00:40", netsim.Linux, "backup host, rsync on 873", "server_only", "infrastructure team", "high")
	if p.vmsRecords {
		o.vms = o.add("vms", "10.20.10.30", "b8:ca:3a:00:00:30", netsim.Linux, "camera platform: streams from all cameras, web on 80", "allowlist", "security desk", "critical")
		o.recorder = o.vms
		return
	}
	o.nvr = o.add("nvr", "10.20.30.5", "44:19:b6:00:00:05", netsim.Embedded, "recorder: streams from all cameras, web on 80", "allowlist", "security desk", "high")
	o.recorder = o.nvr
}

// add appends a device whose delay on the wire is that of the segment.
func (o *office) add(name, ip, mac string, s netsim.Stack, what, expect, owner, criticality string) *device {
	d := &device{host: o.Host(name, ip, mac, s), what: what, expect: expect, owner: owner, criticality: criticality}
	o.devices = append(o.devices, d)
	return d
}

func (o *office) addCamera(i int) {
	b := brands()[i%3]
	name := fmt.Sprintf("cam-%02d", i)
	mac := fmt.Sprintf("%s:00:01:%02x", b.oui, i)
	d := o.add(name, fmt.Sprintf("10.20.30.%d", 10+i), mac, netsim.Embedded, b.vendor+" camera "+b.model, "server_only", "security desk", "medium")
	d.host.Delay = 900 * time.Microsecond
	d.lease = netsim.Lease{Hostname: name, VendorClass: b.vendorClass, Params: b.params}
	c := &camera{device: d, brand: b, info: netsim.Camera{Model: b.model, Serial: fmt.Sprintf("%s20250%06d", b.model, 4100+i), Firmware: b.firmware, Boot: "2026-02-20 08:11:09"}}
	if o.oldFirmware {
		c.info.Firmware = b.oldFirmware
	}
	o.cams = append(o.cams, c)
}

// permit adds the contract entries for ordinary traffic.
func (o *office) permit() {
	in := func(peer *device, port int) allow { return allow{"in", peer.host.IP.String(), "tcp", port} }
	for _, d := range []*device{o.legacy, o.files, o.backup} {
		d.allow = append(d.allow, in(o.monitor, 22))
	}
	o.monitor.allow = append(o.monitor.allow, allow{"out", "zone:servers", "tcp", 22})
	o.files.allow = append(o.files.allow, allow{"out", o.backup.host.IP.String(), "tcp", 873}, allow{"out", "*.example.net", "tcp", 443})
	o.backup.allow = append(o.backup.allow, in(o.files, 873))
	for _, c := range o.cams {
		c.allow = append(c.allow, in(o.recorder, 554))
	}
	o.recorder.allow = append(o.recorder.allow, allow{"out", "zone:cameras", "tcp", 554}, in(o.operator, 80), in(o.operator, 554))
}

// hosts returns all stations of the segment.
func (o *office) hosts() []*netsim.Host {
	var out []*netsim.Host
	for _, d := range o.devices {
		out = append(out, d.host)
	}
	return out
}
