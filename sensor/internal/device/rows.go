// SPDX-License-Identifier: Apache-2.0

package device

// EvidenceVersion counts the changes of the evidence table, so that a record can be told from one weighed differently.
const EvidenceVersion = 1

// Shorthand for the votes of the table; all points are decibans.

func cam(p float64) []vote      { return []vote{{Camera, p}} }
func recorder(p float64) []vote { return []vote{{NVR, p}} }
func platform(p float64) []vote { return []vote{{VMS, p}} }
func server(p float64) []vote   { return []vote{{Server, p}} }
func desk(p float64) []vote     { return []vote{{Workstation, p}} }
func phone(p float64) []vote    { return []vote{{Phone, p}} }
func printer(p float64) []vote  { return []vote{{Printer, p}} }
func gear(p float64) []vote     { return []vote{{NetworkGear, p}} }
func hub(p float64) []vote      { return []vote{{IoTHub, p}} }
func iot(p float64) []vote      { return []vote{{IoT, p}} }
func camOrNVR(p float64) []vote { return []vote{{Camera, p}, {NVR, p - 2}} }
func embedded(p float64) []vote {
	return []vote{{IoT, p}, {Camera, p - 1}, {NetworkGear, p - 1}, {IoTHub, p - 1}}
}
func computer(p float64) []vote  { return []vote{{Workstation, p}, {Server, p}} }
func handheld(p float64) []vote  { return []vote{{Phone, p}, {IoT, p - 6}} }
func deskOrIoT(p float64) []vote { return []vote{{Workstation, p}, {IoT, p}} }

// linkRows: the maker behind the MAC (vendor points are those of the kind of maker) and DHCP.
func linkRows() []row {
	rows := []row{
		{src: obsRandomMAC, text: "locally", roles: []vote{{Workstation, 8}, {Phone, 8}, {Camera, -5}, {NVR, -5}, {Printer, -5}}},
		// Option 60 that names a product.
		{src: obsVendorClass, text: `~^AXIS,(?:Network Camera|[^,]*Camera),([^,]+)`, roles: cam(35), vendor: "Axis", vdb: 35, model: "$1", mdb: 35},
		{src: obsVendorClass, text: `~^AXIS,[^,]*(?:Recorder|NVR)[^,]*,([^,]+)`, roles: recorder(35), vendor: "Axis", vdb: 35, model: "$1", mdb: 35},
		{src: obsVendorClass, text: `~^AXIS,[^,]*,([^,]+)`, roles: iot(20), vendor: "Axis", vdb: 35, model: "$1", mdb: 35},
		{src: obsVendorClass, text: "^hikvision", roles: camOrNVR(25), vendor: "Hikvision", vdb: 35},
		{src: obsVendorClass, text: "^dahua", roles: camOrNVR(25), vendor: "Dahua", vdb: 35},
		{src: obsVendorClass, text: "^bosch-", roles: cam(20), vendor: "Bosch Security", vdb: 30},
		{src: obsVendorClass, text: "^vivotek", roles: cam(30), vendor: "Vivotek", vdb: 35},
		{src: obsVendorClass, text: "^msft", roles: []vote{{Workstation, 14}, {Server, 9}}},
		{src: obsVendorClass, text: "^android-dhcp", roles: handheld(16)},
		{src: obsVendorClass, text: "^dhcpcd", roles: []vote{{IoT, 4}, {Phone, 3}, {Server, 3}}},
		{src: obsVendorClass, text: "^udhcp", roles: embedded(6)},
		{src: obsVendorClass, text: "^pxeclient", roles: computer(8)},
		{src: obsVendorClass, text: "^anacondah", roles: server(8)},
		{src: obsVendorClass, text: "~^Polycom-?([\\w-]*)", roles: phone(30), vendor: "Polycom", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "~^yealink ?([\\w-]*)", roles: phone(30), vendor: "Yealink", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "~^snom-?([\\w-]*)", roles: phone(30), vendor: "Snom", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "~^Grandstream ?([\\w-]*)", roles: phone(25), vendor: "Grandstream", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "ip phone", roles: phone(28)},
		{src: obsVendorClass, text: "~^Cisco Systems, Inc\\. IP Phone ?([\\w-]*)", roles: phone(30), vendor: "Cisco", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "~^Cisco AP ([\\w-]+)", roles: gear(30), vendor: "Cisco", vdb: 35, model: "$1", mdb: 30},
		{src: obsVendorClass, text: "^arubaap", roles: gear(30), vendor: "Aruba", vdb: 35},
		{src: obsVendorClass, text: "^meraki", roles: gear(28), vendor: "Cisco Meraki", vdb: 35},
		{src: obsVendorClass, text: "^ubnt", roles: gear(22), vendor: "Ubiquiti", vdb: 35},
		{src: obsVendorClass, text: "^ruckus", roles: gear(28), vendor: "Ruckus", vdb: 35},
		{src: obsVendorClass, text: "^docsis", roles: gear(28)},
		{src: obsVendorClass, text: "~^Hewlett-Packard JetDirect", roles: printer(32), vendor: "HP", vdb: 30},
		{src: obsVendorClass, text: "~^Mfg=([^;]+);Typ=Printer;Mod=([^;]+)", roles: printer(35), model: "$2", mdb: 35},
		{src: obsVendorClass, text: "^epson", roles: printer(28), vendor: "Epson", vdb: 35},
		{src: obsVendorClass, text: "^canon", roles: printer(25), vendor: "Canon", vdb: 35},
		{src: obsVendorClass, text: "^brother", roles: printer(25), vendor: "Brother", vdb: 35},
		{src: obsVendorClass, text: "^kyocera", roles: printer(25), vendor: "Kyocera", vdb: 35},
		{src: obsVendorClass, text: "^withings", roles: iot(24), vendor: "Withings", vdb: 30},
		{src: obsVendorClass, text: "^roku", roles: iot(28), vendor: "Roku", vdb: 35},
		{src: obsVendorClass, text: "^sonos", roles: iot(28), vendor: "Sonos", vdb: 35},
		{src: obsVendorClass, text: "^dslforum", roles: gear(18)},
		{src: obsMUD, text: "mud", roles: iot(8)},
	}
	return append(append(rows, makerRows()...), hostnameRows()...)
}

// makerRows: what a brand's MAC says about the role. Brands that make many kinds of devices say nothing.
func makerRows() []row {
	var rows []row
	for _, x := range []struct {
		roles  []vote
		brands []string
	}{
		{camOrNVR(15), []string{"Hikvision", "Dahua", "Uniview", "Hanwha", "Tiandy", "Amcrest", "Lorex", "EZVIZ", "Imou", "Reolink", "GeoVision",
			"Milesight", "Kedacom", "Pelco", "Avigilon", "Digital Watchdog", "March Networks", "Dedicated Micros"}},
		{cam(15), []string{"Axis", "Vivotek", "Bosch Security", "Mobotix", "Verkada", "Wyze", "Blink", "Arlo", "ACTi", "Arecont Vision",
			"Honeywell Video", "Yi", "CostarHD"}},
		{[]vote{{Camera, 13}, {IoT, 6}}, []string{"Ring", "Google Nest", "Netatmo", "FLIR"}},
		{gear(15), []string{"Cisco", "Cisco Meraki", "Linksys", "Juniper", "Arista", "Extreme Networks", "Ruckus", "MikroTik", "Fortinet", "Palo Alto Networks",
			"WatchGuard", "SonicWall", "Sophos", "Check Point", "Zyxel", "AVM", "DrayTek", "LANCOM", "Brocade", "H3C", "Ruijie", "eero", "Sagemcom",
			"Technicolor", "Vantiva", "CommScope", "Moxa", "Hirschmann"}},
		{gear(8), []string{"Ubiquiti", "NETGEAR", "TP-Link", "ASUS", "Buffalo", "TRENDnet", "ZTE", "Huawei"}},
		{phone(15), []string{"Yealink", "Polycom", "Grandstream", "Snom", "Avaya", "Gigaset", "OnePlus", "OPPO", "vivo", "Motorola", "HTC", "Nokia (HMD)", "Honor", "realme"}},
		{printer(14), []string{"Brother", "Canon", "Epson", "Lexmark", "Xerox", "Kyocera", "Ricoh", "Konica Minolta", "Zebra", "OKI"}},
		{hub(13), []string{"Philips Lighting (Signify)", "SmartThings", "eQ-3"}},
		{[]vote{{IoT, 12}, {IoTHub, 6}}, []string{"Osram", "Ledvance", "Aqara", "IKEA"}},
		{iot(15), []string{"Withings", "Fitbit", "Sonos", "Bose", "ecobee", "LIFX", "Nanoleaf", "Shelly", "iRobot", "Roborock", "Midea", "August",
			"Roku", "Nintendo", "Sony PlayStation", "Resideo", "tado"}},
		{[]vote{{IoT, 12}, {IoTHub, 8}}, []string{"Belkin"}},
		{iot(9), []string{"Amazon", "Google", "Xiaomi", "Edimax", "D-Link", "LG", "Schneider Electric", "Siemens", "Rockwell Automation", "WAGO", "Beckhoff", "Phoenix Contact"}},
		{[]vote{{Server, 12}, {Workstation, 4}}, []string{"Supermicro", "VMware", "IBM", "Oracle", "NetApp", "Synology", "QNAP", "VirtualBox", "Xen"}},
		{computer(8), []string{"Dell", "Lenovo", "Fujitsu", "Gigabyte", "MSI", "Acer"}},
		{computer(4), []string{"HP", "Microsoft", "Raspberry Pi"}},
		{[]vote{{Phone, 9}, {Workstation, 9}}, []string{"Apple"}},
		{[]vote{{Phone, 8}, {IoT, 4}}, []string{"Samsung"}},
	} {
		for _, b := range x.brands {
			rows = append(rows, row{src: obsVendor, text: "=" + b, roles: x.roles, vdb: brandDB})
		}
	}
	return rows
}

// hostnameRows: names that devices give themselves. They are weak where people name machines.
func hostnameRows() []row {
	return []row{
		{src: obsHostname, text: `~^axis-([0-9a-f]{12})`, roles: cam(18), vendor: "Axis", vdb: 20},
		{src: obsHostname, text: `~^(DCS-[0-9A-Z]+)`, roles: cam(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^(DCH-9[0-9A-Z]+)`, roles: cam(20), vendor: "D-Link", vdb: 25, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^(DCH-G[0-9A-Z]+)`, roles: hub(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^((?:DCH|DSP)-[0-9A-Z]+)`, roles: iot(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^(DNR-[0-9A-Z]+)`, roles: recorder(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^(IC-?[3579]\d{3}[A-Z]*)`, roles: cam(22), vendor: "Edimax", vdb: 20, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^(SP-?[12]101W)`, roles: iot(22), vendor: "Edimax", vdb: 20, model: "$1", mdb: 25},
		{src: obsHostname, text: `~^((?:HS|KP|KL|EP|LB|P)1\d{2})\b`, roles: iot(18), vendor: "TP-Link", vdb: 15, model: "$1", mdb: 22},
		{src: obsHostname, text: `~^(Tapo_?C\d+|C\d{3}_|KC\d{3})`, roles: cam(18), vendor: "TP-Link", vdb: 18, model: "$1", mdb: 20},
		{src: obsHostname, text: `~^(Philips-?hue)`, roles: hub(22), vendor: "Philips Lighting (Signify)", vdb: 25, model: "Hue Bridge", mdb: 20},
		{src: obsHostname, text: "^lightify", roles: hub(22), vendor: "Osram", vdb: 22, model: "Lightify Gateway", mdb: 22},
		{src: obsHostname, text: "^tradfri", roles: hub(22), vendor: "IKEA", vdb: 25, model: "TRADFRI Gateway", mdb: 20},
		{src: obsHostname, text: "^max!", roles: hub(20), vendor: "eQ-3", vdb: 22, model: "MAX! Cube", mdb: 20},
		{src: obsHostname, text: `~^KEQ\d{7}$`, roles: hub(20), vendor: "eQ-3", vdb: 22, model: "MAX! Cube", mdb: 20},
		{src: obsHostname, text: `~^[L-P]EQ\d{7}$`, roles: hub(18), vendor: "eQ-3", vdb: 22},
		{src: obsHostname, text: "^homematic", roles: hub(20), vendor: "eQ-3", vdb: 22},
		{src: obsHostname, text: "^smartthings", roles: hub(18), vendor: "SmartThings", vdb: 20},
		{src: obsHostname, text: "^hubitat", roles: hub(20), vendor: "Hubitat", vdb: 20},
		{src: obsHostname, text: "^homeassistant", roles: hub(16)},
		{src: obsHostname, text: "^wemo", roles: iot(18), vendor: "Belkin", vdb: 22, model: "WeMo", mdb: 8},
		{src: obsHostname, text: `~^(WS-?\d{2})\b`, roles: iot(12), vendor: "Withings", vdb: 14, model: "$1", mdb: 18},
		{src: obsHostname, text: `~^aria\b`, roles: iot(12), vendor: "Fitbit", vdb: 14, model: "Aria", mdb: 15},
		{src: obsHostname, text: `~^(?:ESP[_-]|espressif)`, roles: iot(14)},
		{src: obsHostname, text: `~mysimplelink$|^GainSpan|^HF-LP`, roles: []vote{{IoT, 8}, {Camera, 4}, {IoTHub, 5}}}, // radio modules
		{src: obsHostname, text: "^schlage", roles: iot(20), vendor: "Schlage (Allegion)", vdb: 22},
		{src: obsHostname, text: `~^(shelly[a-z0-9]*)`, roles: iot(22), vendor: "Shelly", vdb: 25, model: "$1", mdb: 18},
		{src: obsHostname, text: `~^(tasmota|wled|esphome|sonoff)`, roles: iot(18)},
		{src: obsHostname, text: `~^blink`, roles: cam(14), vendor: "Blink", vdb: 18},
		{src: obsHostname, text: `~^ring-?([0-9a-f]{6}|doorbell|cam)`, roles: cam(18), vendor: "Ring", vdb: 20},
		{src: obsHostname, text: `~^(wyze[\w-]*)`, roles: cam(16), vendor: "Wyze", vdb: 22, model: "$1", mdb: 12},
		{src: obsHostname, text: `~^(?:ipc|ipcam|ip-?camera|camera|cam)[-_0-9a-f]*$`, roles: cam(14)},
		{src: obsHostname, text: `~^(?:nvr|dvr)`, roles: recorder(14)},
		{src: obsHostname, text: `~^(yi-?(?:cam|home|dome)[\w-]*)`, roles: cam(18), vendor: "Yi", vdb: 20},
		{src: obsHostname, text: `~^(?:netcam|IPCamera|Reolink|foscam|ipcam)`, roles: cam(16)},
		{src: obsHostname, text: `~^(?:UVC|uvc)[-_]`, roles: cam(18), vendor: "Ubiquiti", vdb: 20},
		{src: obsHostname, text: `~^(NPI[0-9A-F]{6})`, roles: printer(22), vendor: "HP", vdb: 20},
		{src: obsHostname, text: `~^HP[0-9A-F]{6,12}$`, roles: printer(16), vendor: "HP", vdb: 15},
		{src: obsHostname, text: `~^(BR[WN][0-9A-F]{12})`, roles: printer(25), vendor: "Brother", vdb: 25},
		{src: obsHostname, text: `~^EPSON[0-9A-F]{6}`, roles: printer(25), vendor: "Epson", vdb: 25},
		{src: obsHostname, text: `~^(?:KM|KMBT)[0-9A-F]{6}`, roles: printer(20)},
		{src: obsHostname, text: `~^RNP[0-9A-F]{6}`, roles: printer(22), vendor: "Ricoh", vdb: 22},
		{src: obsHostname, text: `~^android[-_]`, roles: handheld(16)},
		{src: obsHostname, text: `~iphone`, roles: phone(18), vendor: "Apple", vdb: 12},
		{src: obsHostname, text: `~(?:galaxy|pixel|oneplus|redmi|huawei[-_ ]p\d)`, roles: phone(14)},
		{src: obsHostname, text: `~ipad`, roles: phone(12), vendor: "Apple", vdb: 12},
		{src: obsHostname, text: `~macbook|imac|mac-?mini`, roles: desk(16), vendor: "Apple", vdb: 12},
		{src: obsHostname, text: `~^(?:desktop|laptop)-`, roles: desk(18)},
		{src: obsHostname, text: `~^win-[0-9a-z]{11}$`, roles: server(14)},
		{src: obsHostname, text: `~^SEP[0-9A-F]{12}`, roles: phone(26), vendor: "Cisco", vdb: 20},
		{src: obsHostname, text: `~^amazon-[0-9a-f]+`, roles: iot(18), vendor: "Amazon", vdb: 18},
		{src: obsHostname, text: `~^(?:chromecast|google-home|google-nest)`, roles: iot(18), vendor: "Google", vdb: 20},
		{src: obsHostname, text: `~^sonos`, roles: iot(20), vendor: "Sonos", vdb: 22},
		{src: obsHostname, text: `~^roku`, roles: iot(18), vendor: "Roku", vdb: 20},
		{src: obsHostname, text: `~^(?:samsung-?tv|bravia|lgwebos)`, roles: iot(18)},
		{src: obsHostname, text: `~^(?:diskstation|synology)`, roles: server(14), vendor: "Synology", vdb: 20},
	}
}
