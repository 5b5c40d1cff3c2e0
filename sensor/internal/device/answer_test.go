// SPDX-License-Identifier: Apache-2.0

package device

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// answer plays a connection in which a device with the MAC address noBrand says things about itself, and returns the client and the device.
func answer(infos ...dissect.DeviceInfo) (client, d *Device) {
	r := New(Config{})
	k := talk{from: "10.0.0.9", to: "10.0.0.7", fromMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 2}, toMAC: noBrand, port: 8080, answered: true}
	client, d = play(r, k)
	for i := range infos {
		r.Fact(k.view(), &infos[i], session.In, client, d, 0)
	}
	return client, d
}

// What a device says about itself in answers over a connection, and what must follow.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		infos               []dissect.DeviceInfo
		role                Role
		level               Level
		vendor, model, date string
	}{
		{[]dissect.DeviceInfo{{Protocol: "isapi", Vendor: "hikvision", Model: "DS-2CD2042WD-I", Class: "IPCamera", FirmwareDate: "2017-01-25"}}, Camera, Identified, "Hikvision", "DS-2CD2042WD-I", "2017-01-25"},
		{[]dissect.DeviceInfo{{Protocol: "isapi", Vendor: "Hikvision", Model: "DS-7608NI-K2", Class: "NVR"}}, NVR, Identified, "Hikvision", "DS-7608NI-K2", ""},
		{[]dissect.DeviceInfo{{Protocol: "isapi", Vendor: "LTS", Model: "LTN8704", Class: "hybirdNVR"}}, NVR, Identified, "LTS", "LTN8704", ""},
		{[]dissect.DeviceInfo{{Protocol: "isapi", Model: "C1", Class: "IPDome"}}, Camera, Identified, "", "C1", ""},
		{[]dissect.DeviceInfo{{Protocol: "isapi", Model: "X1"}}, Camera, Hint, "", "X1", ""},
		{[]dissect.DeviceInfo{{Protocol: "isapi", Vendor: "Hikvision", Model: "DS-KH6320-WTE1", Class: "VIS"}}, IoT, Probable, "Hikvision", "DS-KH6320-WTE1", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "AXIS", Model: "P3225-LV"}}, Camera, Hint, "Axis", "P3225-LV", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "HIKVISION", Model: "DS-2CD2042WD-I"}}, Camera, Identified, "Hikvision", "DS-2CD2042WD-I", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "Dahua Technology", Model: "DHI-NVR4208"}}, NVR, Identified, "Dahua", "DHI-NVR4208", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "UNIVIEW", Model: "NVR301-04"}}, NVR, Identified, "Uniview", "NVR301-04", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "Bosch Security Systems", Model: "FLEXIDOME IP 4000i"}}, Camera, Hint, "Bosch Security", "FLEXIDOME IP 4000i", ""},
		{[]dissect.DeviceInfo{{Protocol: "onvif", Vendor: "General", Model: "IP Camera"}}, Camera, Hint, "", "", ""},
		{[]dissect.DeviceInfo{{Protocol: "dahua_cgi", Vendor: "Dahua", Model: "IPC-HFW2431S"}}, Camera, Identified, "Dahua", "IPC-HFW2431S", ""},
		{[]dissect.DeviceInfo{{Protocol: "rpc2", Vendor: "Dahua", Class: "NVR"}, {Protocol: "rpc2", Vendor: "Dahua", Model: "NVR"}}, NVR, Identified, "Dahua", "", ""},
		{[]dissect.DeviceInfo{{Protocol: "dhip", Vendor: "Dahua", Model: "DHI-NVR5216-4KS2", FirmwareDate: "2020-10-19"}}, NVR, Identified, "Dahua", "DHI-NVR5216-4KS2", "2020-10-19"},
		{[]dissect.DeviceInfo{{Protocol: "dvrip", Vendor: "Dahua", Model: "VTH1510CH"}}, IoT, Probable, "Dahua", "VTH1510CH", ""},
		{[]dissect.DeviceInfo{{Protocol: "dvrip", Vendor: "Dahua", Serial: "1A2B"}}, Unknown, LevelUnknown, "Dahua", "", ""},
		{[]dissect.DeviceInfo{{Protocol: "vapix", Vendor: "AXIS", Class: "Network Camera", Model: "P3225-LV Mk II", FirmwareDate: "2021-03-18"}}, Camera, Identified, "Axis", "P3225-LV Mk II", "2021-03-18"},
		{[]dissect.DeviceInfo{{Protocol: "vapix", Class: "Network Video Recorder", Model: "S3008"}}, NVR, Identified, "Axis", "S3008", ""},
		{[]dissect.DeviceInfo{{Protocol: "vapix", Vendor: "AXIS", Model: "C1310-E"}}, IoT, Probable, "Axis", "C1310-E", ""},
		{[]dissect.DeviceInfo{{Protocol: "xmeye", Vendor: "Xiongmai", Model: "X8", Digital: 8}}, NVR, Identified, "Xiongmai", "X8", ""},
		{[]dissect.DeviceInfo{{Protocol: "xmeye", Vendor: "Xiongmai", Model: "NBD8008R"}}, NVR, Probable, "Xiongmai", "NBD8008R", ""},
		{[]dissect.DeviceInfo{{Protocol: "xmeye", Vendor: "Xiongmai", Model: "53H20L"}}, Camera, Hint, "Xiongmai", "53H20L", ""},
		{[]dissect.DeviceInfo{{Protocol: "enip", Vendor: "Rockwell Automation", Class: "Communications Adapter", Model: "1756-EN2T/B"}}, Unknown, LevelUnknown, "Rockwell Automation", "1756-EN2T/B", ""},
	} {
		for i := range tt.infos {
			tt.infos[i].Firmware = "1.2 build 3"
		}
		client, d := answer(tt.infos...)
		if d.Role != tt.role || d.Level != tt.level || d.Vendor != tt.vendor || d.Model != tt.model || d.Firmware != "1.2 build 3" || d.FirmwareDate != tt.date {
			t.Errorf("%+v:\n%v %v %.3f %q %q %q %q", tt.infos, d.Role, d.Level, d.Probability, d.Vendor, d.Model, d.Firmware, d.FirmwareDate)
		}
		if client.Role != Unknown || client.Vendor != "" {
			t.Errorf("%+v: the client is a %v of %q", tt.infos, client.Role, client.Vendor)
		}
	}
}

// An announcement says the same as an answer, but anybody can forge it.
func TestAnswerIsStrongerThanAnnouncement(t *testing.T) {
	camera := dissect.DeviceInfo{Protocol: "dhip", MAC: mac(9), Class: "IPC", Model: "IPC-HFW2431S"}
	forged := announce(New(Config{}), 1, &camera)
	_, said := answer(camera)
	if forged.Level != Hint || said.Level != Identified || said.Evidence[0].Source != "answer" {
		t.Errorf("%v by an announcement, %v by an answer, %+v", forged.Level, said.Level, said.Evidence)
	}
}
