// SPDX-License-Identifier: Apache-2.0

package main

// brand has the protocol details of one camera vendor.
type brand struct {
	vendor, model, oui    string
	firmware, oldFirmware string
	vendorClass           string
	params                []byte
	realm, rtspServer     string
	httpServer, streamURI string
}

func brands() [3]brand {
	return [3]brand{
		{vendor: "Hikvision", model: "DS-2CD2043G2-I", oui: "44:19:b6", firmware: "V5.7.18build 250618", oldFirmware: "V5.5.82build 191215",
			vendorClass: "udhcp 1.24.1", params: []byte{1, 3, 6, 12, 15, 28, 42}, realm: "IP Camera(C6496)", rtspServer: "",
			httpServer: "App-webs/", streamURI: "/Streaming/Channels/101"},
		{vendor: "Dahua", model: "IPC-HFW2431S", oui: "3c:ef:8c", firmware: "2.840.0000.18.R,2025-08-04", oldFirmware: "2.622.0000.18.R,2019-12-15",
			vendorClass: "udhcp 1.19.4", params: []byte{1, 3, 6, 12, 15, 28, 40, 41, 42}, realm: "Login to 4K0A1B2C3D", rtspServer: "Rtsp Server/3.0",
			httpServer: "Webs", streamURI: "/cam/realmonitor?channel=1&subtype=0"},
		{vendor: "Axis", model: "P3245-V", oui: "ac:cc:8e", firmware: "11.11.135", oldFirmware: "9.80.1",
			vendorClass: "AXIS,Network Camera,P3245-V,11.11.135", params: []byte{1, 3, 6, 12, 15, 42, 119}, realm: "AXIS_ACCC8E000102", rtspServer: "GStreamer RTSP server",
			httpServer: "Apache", streamURI: "/axis-media/media.amp"},
	}
}

func (b brand) hik() bool   { return b.vendor == "Hikvision" }
func (b brand) dahua() bool { return b.vendor == "Dahua" }
func (b brand) axis() bool  { return b.vendor == "Axis" }
