// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestDiscoveryRepliesIdentifyDevices lets a camera answer a search in its group, a recorder one that was sent to it, and two recorders
// behind a router, whose own MAC address is not seen.
func TestDiscoveryRepliesIdentifyDevices(t *testing.T) {
	n := netsim.New(1)
	pc := n.Host("pc", "192.0.2.50", "b8:ca:3a:00:00:50", netsim.Windows)
	camera := n.Host("camera", "192.0.2.7", "02:00:5e:10:00:07", netsim.Linux)
	recorder := n.Host("recorder", "192.0.2.8", "02:00:5e:10:00:08", netsim.Linux)
	n.Router("192.0.2.1", "00:00:0c:00:00:01")
	search := []byte(`<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>`)
	n.Multicast(began(), pc, 37020, "239.255.255.250", 37020, search)
	for i := range 20 {
		n.Multicast(began().Add(time.Duration(i)*time.Second), camera, 37020, "239.255.255.250", 37020, []byte(dissecttest.SADPMatch("DS-2CD1043G2-I", "V5.7.1build 230131", 0, 1)))
	}
	found := dissecttest.NotifyDevInfo("NVR", "NVR4208-4KS2", "4.001.0000000.1, Build Date: 2021-06-07", 0, 8)
	n.Exchange(began().Add(time.Minute), pc, recorder, 37810, []byte(dhip(`{"method":"DHDiscover.search","params":{"mac":"","uni":1}}`)),
		[]byte(dhip(strings.ReplaceAll(found, "10:00:07", "10:00:08"))))
	for i, ip := range []string{"198.51.100.9", "203.0.113.9"} {
		far := n.External(ip, netsim.Linux, 20*time.Millisecond)
		far.Hops = 2
		n.UDP(began().Add(time.Duration(2+i)*time.Minute), far, 37810, pc, 30120, []byte(dhip(found)))
	}
	got := identities(t, n)
	for ip, want := range map[string]string{
		"192.0.2.7":    "Hikvision, DS-2CD1043G2-I, V5.7.1build 230131, 2023-01-31, camera hint",
		"192.0.2.8":    "Dahua, NVR4208-4KS2, 4.001.0000000.1, 2021-06-07, nvr identified",
		"198.51.100.9": "Dahua, NVR4208-4KS2, 4.001.0000000.1, 2021-06-07, nvr hint",
		"203.0.113.9":  "Dahua, NVR4208-4KS2, 4.001.0000000.1, 2021-06-07, nvr hint",
	} {
		if got[ip] != want {
			t.Errorf("%s: %s, want %s", ip, got[ip], want)
		}
	}
}

// identities returns vendor, model, firmware, its date, role and level of each device, by address.
func identities(t *testing.T, n *netsim.Net) map[string]string {
	file := filepath.Join(t.TempDir(), "devices")
	r := run1(t, "replay", "--log-level", "error", "--internal", "0.0.0.0/0", "--devices", file, write(t, n, "a.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	got := map[string]string{}
	for _, d := range records(t, schemas.KindDevice, read(t, file)) {
		for _, ip := range d["ips"].([]any) {
			got[ip.(string)] = fmt.Sprint(d["vendor"], ", ", d["model"], ", ", d["firmware"], ", ", d["firmware_date"], ", ", d["role"], " ", d["role_level"])
		}
	}
	return got
}

// TestAnswersIdentifyDevices lets a client ask a recorder and a camera what they are.
func TestAnswersIdentifyDevices(t *testing.T) {
	n := netsim.New(1)
	pc := n.Host("pc", "192.0.2.50", "b8:ca:3a:00:00:50", netsim.Windows)
	recorder := n.Host("recorder", "192.0.2.8", "02:00:5e:10:00:08", netsim.Linux)
	camera := n.Host("camera", "192.0.2.9", "02:00:5e:10:00:09", netsim.Linux)
	n.Dial(began(), pc, recorder, 8081).HTTP(netsim.Request{Method: "GET", URI: "/ISAPI/System/deviceInfo"}, netsim.Response{Status: 200, ContentType: "application/xml",
		Body: `<?xml version="1.0"?><DeviceInfo xmlns="http://www.hikvision.com/ver20/XMLSchema"><model>DS-7608NI-K2</model><firmwareVersion>V4.30.5</firmwareVersion>` +
			`<firmwareReleasedDate>build 200601</firmwareReleasedDate><deviceType>NVR</deviceType></DeviceInfo>`}).Close()
	ask := netsim.Request{Method: "POST", URI: "/onvif/device_service", Header: []string{"Content-Type: application/soap+xml"},
		Body: netsim.SOAP(`<GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>`, nil)}
	n.Dial(began().Add(time.Minute), pc, camera, 8082).HTTP(ask, netsim.Response{Status: 200, ContentType: "application/soap+xml",
		Body: netsim.SOAP(`<t:GetDeviceInformationResponse xmlns:t="http://www.onvif.org/ver10/device/wsdl"><t:Manufacturer>VIVOTEK INC.</t:Manufacturer><t:Model>IB9365</t:Model>`+
			`<t:FirmwareVersion>0100f</t:FirmwareVersion></t:GetDeviceInformationResponse>`, nil)}).Close()
	got := identities(t, n)
	for ip, want := range map[string]string{
		"192.0.2.8":  "Hikvision, DS-7608NI-K2, V4.30.5, 2020-06-01, nvr probable",
		"192.0.2.9":  "Vivotek, IB9365, 0100f, <nil>, camera hint",
		"192.0.2.50": "Dell, <nil>, <nil>, <nil>, unknown unknown",
	} {
		if got[ip] != want {
			t.Errorf("%s: %s, want %s", ip, got[ip], want)
		}
	}
}

// TestNeighborsAndAgentsIdentifyDevices lets a switch announce itself by LLDP and answer by SNMP, and a host register its name.
func TestNeighborsAndAgentsIdentifyDevices(t *testing.T) {
	n := netsim.New(1)
	pc := n.Host("pc", "192.0.2.50", "b8:ca:3a:00:00:50", netsim.Windows)
	station := n.Host("switch", "192.0.2.7", "02:00:5e:10:00:07", netsim.Linux)
	lldp := "\x01\x80\xc2\x00\x00\x0e\x02\x00\x5e\x10\x00\x07\x88\xcc" + "\x02\x07\x04\x02\x00\x5e\x10\x00\x07" + "\x04\x02\x05p" + "\x06\x02\x00\x78" + "\x0e\x04\x00\x04\x00\x04" +
		"\x0c\x31MikroTik RouterOS 6.48.6 (long-term) RB750Gr3 abc" + "\x00\x00"
	n.Raw(began(), []byte(lldp))
	request := "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x05\x00"
	answer := "\x30\x2f\x02\x01\x01\x04\x06public\xa2\x22\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x17\x30\x15\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x06\x09\x2b\x06\x01\x04\x01\xf5\x0c\x01\x01"
	n.Exchange(began().Add(time.Minute), pc, station, 161, []byte(request), []byte(answer))
	got := identities(t, n)
	if want := "MikroTik, RB750Gr3, 6.48.6, <nil>, network_gear identified"; got["192.0.2.7"] != want {
		t.Errorf("%s, want %s", got["192.0.2.7"], want)
	}
}
