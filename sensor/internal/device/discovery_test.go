// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// noBrand is a MAC address that says nothing of the vendor.
var noBrand = packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}

// announce plays announcements of a device with the MAC address noBrand, all at one time.
func announce(r *Registry, at int64, infos ...*dissect.DeviceInfo) *Device {
	k := talk{from: "10.0.0.7", to: "239.255.255.250", fromMAC: noBrand, toMAC: packet.MAC{1, 0, 0x5e, 0x7f, 0xff, 0xfa}, port: 37020, proto: protoUDP, at: at}
	d, _ := play(r, k)
	for _, f := range infos {
		r.Fact(k.view(), f, session.Out, d, nil, at*sec)
	}
	return d
}

// What a device says about itself, and what must follow. The announced MAC address is its own.
func TestAnnouncedIdentity(t *testing.T) {
	for _, tt := range []struct {
		info                dissect.DeviceInfo
		role                Role
		level               Level
		vendor, model, date string
	}{
		{dissect.DeviceInfo{Protocol: "sadp", Model: "DS-2CD1043G2-I", Digital: 1, FirmwareDate: "2023-01-31"}, Camera, Probable, "Hikvision", "DS-2CD1043G2-I", "2023-01-31"},
		{dissect.DeviceInfo{Protocol: "sadp", Model: "DS-7608NI-K2", Digital: 8}, NVR, Hint, "Hikvision", "DS-7608NI-K2", ""},
		{dissect.DeviceInfo{Protocol: "sadp", Model: "OEM-1", Digital: 16}, NVR, Hint, "Hikvision", "OEM-1", ""},
		{dissect.DeviceInfo{Protocol: "sadp", Model: "IPCamera", Digital: 1}, Camera, Hint, "Hikvision", "", ""},
		{dissect.DeviceInfo{Protocol: "sadp", Model: "DS-KH6210-L", Analog: 1}, IoT, Probable, "Hikvision", "DS-KH6210-L", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "IPC", Model: "IPC-HFW2431S", Analog: 1}, Camera, Probable, "Dahua", "IPC-HFW2431S", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "SD", Model: "DH-SD59230", Analog: 1, Vendor: "Honeywell"}, Camera, Probable, "Dahua", "DH-SD59230", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "HCVR", Model: "HCVR", Analog: 8}, NVR, Hint, "Dahua", "", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "Shop DVR 8ch", Model: "Shop 8", Analog: 8}, NVR, Hint, "Dahua", "Shop 8", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "unknown", Model: "X", Digital: 32}, NVR, Hint, "Dahua", "X", ""},
		{dissect.DeviceInfo{Protocol: "dhip", Class: "VTH", Model: "VTH1510"}, IoT, Probable, "Dahua", "VTH1510", ""},
		{dissect.DeviceInfo{Protocol: "dvrip", Class: "NVR", Model: "NVR4208"}, NVR, Hint, "Dahua", "NVR4208", ""},
		{dissect.DeviceInfo{Protocol: "xmeye", Analog: 1}, Camera, Probable, "Xiongmai", "", ""},
		{dissect.DeviceInfo{Protocol: "xmeye", Analog: 8}, NVR, Hint, "Xiongmai", "", ""},
		{dissect.DeviceInfo{Protocol: "bosch", Model: "FLEXIDOME IP 4000i"}, Camera, Hint, "Bosch Security", "FLEXIDOME IP 4000i", ""},
		{dissect.DeviceInfo{Protocol: "sony", Model: "SNC-EM641"}, Camera, Probable, "Sony", "SNC-EM641", ""},
		{dissect.DeviceInfo{Protocol: "panasonic", Model: "WJ-NX400"}, NVR, Hint, "Panasonic", "WJ-NX400", ""},
		{dissect.DeviceInfo{Protocol: "hanwha", Model: "XND-6080"}, Camera, Probable, "Hanwha", "XND-6080", ""},
		{dissect.DeviceInfo{Protocol: "hanwha", Model: "XRN-1610"}, NVR, Hint, "Hanwha", "XRN-1610", ""},
		{dissect.DeviceInfo{Protocol: "ubiquiti", Class: "UVC", Model: "UVC G3"}, Camera, Probable, "Ubiquiti", "UVC G3", ""},
		{dissect.DeviceInfo{Protocol: "ubiquiti", Class: "U7LT", Model: "UAP-AC-Lite"}, NetworkGear, Hint, "Ubiquiti", "UAP-AC-Lite", ""},
		{dissect.DeviceInfo{Protocol: "vivotek", Model: "IB9365"}, Camera, Probable, "Vivotek", "IB9365", ""},
		{dissect.DeviceInfo{Protocol: "foscam", Model: "FI8910W"}, Camera, Probable, "Foscam", "FI8910W", ""},
		{dissect.DeviceInfo{Protocol: "onvif", Class: "NetworkVideoTransmitter Device", Model: "DS-2CD1043", Name: "HIKVISION DS-2CD1043"}, Camera, Probable, "Hikvision", "DS-2CD1043", ""},
		{dissect.DeviceInfo{Protocol: "onvif", Class: "NetworkVideoTransmitter", Model: "IPC-1"}, Camera, Hint, "", "IPC-1", ""},
		{dissect.DeviceInfo{Protocol: "onvif", Class: "NetworkVideoTransmitter", Model: "DS-7608NI"}, NVR, Hint, "Hikvision", "DS-7608NI", ""},
		{dissect.DeviceInfo{Protocol: "wsd", Class: "Device PrintDeviceType"}, Printer, Hint, "", "", ""},
		{dissect.DeviceInfo{Protocol: "ssdp", Name: "Linux/3.14 UPnP/1.0 IpBridge/1.60.0", Class: "urn:schemas-upnp-org:device:basic:1"}, IoTHub, Hint, "Philips Lighting (Signify)", "Hue Bridge", ""},
		{dissect.DeviceInfo{Protocol: "ssdp", Name: "Unspecified, UPnP/1.0, Unspecified", Class: "urn:Belkin:device:bridge:1"}, IoTHub, Hint, "Belkin", "WeMo Link", ""},
		{dissect.DeviceInfo{Protocol: "ssdp", Name: "Unspecified, UPnP/1.0, Unspecified", Class: "urn:Belkin:device:insight:1"}, IoT, Probable, "Belkin", "WeMo Insight", ""},
		{dissect.DeviceInfo{Protocol: "ssdp", Name: "Unspecified, UPnP/1.0, Unspecified", Class: "urn:Belkin:service:metainfo:1"}, IoT, Hint, "Belkin", "", ""},
		{dissect.DeviceInfo{Protocol: "pppp", Class: "TNPUSAC"}, Camera, Probable, "Yi", "", ""},
		{dissect.DeviceInfo{Protocol: "pppp", Class: "VSTABCDE"}, Camera, Hint, "", "", ""},
		{dissect.DeviceInfo{Protocol: "enip", Vendor: "WAGO", Model: "750-881"}, Unknown, LevelUnknown, "WAGO", "750-881", ""},
		{dissect.DeviceInfo{Protocol: "ssdp", Name: "Linux UPnP/1.0 Other/1.0"}, Unknown, LevelUnknown, "", "", ""},
	} {
		info := tt.info
		info.MAC, info.Firmware = noBrand, "1.2 build 3"
		d := announce(New(Config{}), 1, &info)
		if d.Role != tt.role || d.Level != tt.level || d.Vendor != tt.vendor || d.Model != tt.model || d.Firmware != "1.2 build 3" || d.FirmwareDate != tt.date {
			t.Errorf("%+v:\n%v %v %q %q %q %q", tt.info, d.Role, d.Level, d.Vendor, d.Model, d.Firmware, d.FirmwareDate)
		}
	}
}

// A forged announcement names the MAC address of the device that it is about, not that of the sender. It has less weight than what the device
// itself says, and makes a role a hint at most.
func TestForgedAnnouncement(t *testing.T) {
	recorder := &dissect.DeviceInfo{Protocol: "dhip", MAC: mac(9), Class: "NVR", Model: "NVR4208", Firmware: "9.9"}
	d := announce(New(Config{}), 1, recorder)
	if d.Role != NVR || d.Level != Hint || d.Vendor != "Dahua" || d.Evidence[0].Source != "discovery_foreign" || d.Evidence[0].Points != 19.2 {
		t.Errorf("%v %v %q %+v", d.Role, d.Level, d.Vendor, d.Evidence)
	}
	d = announce(New(Config{}), 1, &dissect.DeviceInfo{Protocol: "sony", MAC: mac(9), Model: "SNC-EM641"})
	if d.Role != Camera || d.Level != Hint {
		t.Errorf("%v %v", d.Role, d.Level)
	}
	camera := &dissect.DeviceInfo{Protocol: "sadp", MAC: noBrand, Model: "DS-2CD1043G2-I", Firmware: "V5.7.1"}
	d = announce(New(Config{}), 1, camera, recorder)
	if d.Role != Camera || d.Vendor != "Hikvision" || d.Model != "DS-2CD1043G2-I" || d.Firmware != "V5.7.1" {
		t.Errorf("%v %v %q %q %q", d.Role, d.Level, d.Vendor, d.Model, d.Firmware)
	}
}

// A device behind a router has no MAC address to compare, and names its private address. It is the sender all the same.
func TestAnnouncementFromBehindARouter(t *testing.T) {
	r := New(Config{})
	k := talk{from: "10.9.0.7", to: "10.0.0.1", port: 40000, proto: protoUDP}
	d, _ := play(r, k)
	r.Fact(k.view(), &dissect.DeviceInfo{Protocol: "dhip", MAC: mac(9), Class: "NVR", Model: "NVR4208", Firmware: "3.2"}, session.Out, d, nil, 0)
	if d.Role != NVR || d.Vendor != "Dahua" || d.Model != "NVR4208" || d.Firmware != "3.2" || d.Evidence[0].Source != "discovery_unchecked" {
		t.Errorf("%v %v %q %q %+v", d.Role, d.Level, d.Vendor, d.Model, d.Evidence)
	}
}

// After an update, the device has the new firmware.
func TestFirmwareIsUpdated(t *testing.T) {
	r := New(Config{})
	info := dissect.DeviceInfo{Protocol: "sadp", MAC: noBrand, Model: "DS-2CD1043G2-I", Firmware: "V5.7.1build 230131", FirmwareDate: "2023-01-31"}
	d := announce(r, 1, &info)
	version := d.Version
	info.Firmware, info.FirmwareDate = "V5.7.3build 230906", "2023-09-06"
	announce(r, 7200, &info)
	if d.Firmware != "V5.7.3build 230906" || d.FirmwareDate != "2023-09-06" || d.Version == version {
		t.Errorf("%q %q, version %d after %d", d.Firmware, d.FirmwareDate, d.Version, version)
	}
}

// A device that answers a search on its port has acted as such, which lifts the limit of what anybody can forge.
func TestAnsweredSearch(t *testing.T) {
	r := New(Config{})
	d := announce(r, 1, &dissect.DeviceInfo{Protocol: "dhip", MAC: noBrand, Class: "NVR", Model: "NVR4208"})
	r.observe(d, evidence.Serves, "udp/37810 dhip", sec)
	if d.Role != NVR || d.Level != Identified {
		t.Errorf("%v %v %.3f", d.Role, d.Level, d.Probability)
	}
}

// When a MAC turns out to be that of a router, what the devices behind it said is no longer compared with it.
func TestAnnouncementKeptWithoutMAC(t *testing.T) {
	d := announce(New(Config{}), 1, &dissect.DeviceInfo{Protocol: "dhip", MAC: mac(9), Class: "NVR"}, &dissect.DeviceInfo{Protocol: "sadp", MAC: noBrand, Model: "DS-7608NI-K2"})
	x := alone(d)
	if v := x.claims.Weigh(sec, sec); v.Role != NVR || v.Level != Hint {
		t.Errorf("%+v", v)
	}
	if got := d.Evidence[0].Source; got != "discovery" {
		t.Errorf("the device has %s now", got)
	}
}
