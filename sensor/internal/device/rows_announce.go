// SPDX-License-Identifier: Apache-2.0

package device

// announcementRows: what devices say of themselves over mDNS (service types of the IANA registry and of makers). The
// value is "service instance", or "service key=value" for a TXT record.
func announcementRows() []row {
	rows := []row{
		{src: obsService, text: `~^_axis-video\._tcp (?:AXIS )?([\w-]+)`, roles: cam(35), vendor: "Axis", vdb: 35, model: "$1", mdb: 30},
		{src: obsService, text: `~^_axis-nvr\._tcp (?:AXIS )?([\w-]+)`, roles: recorder(35), vendor: "Axis", vdb: 35, model: "$1", mdb: 30},
		{src: obsService, text: `~^_vivotek`, roles: cam(30), vendor: "Vivotek", vdb: 35},
		{src: obsService, text: `~^_rtsp\._tcp`, roles: camOrNVR(18)},
		{src: obsService, text: `~^_psia\._tcp`, roles: camOrNVR(22)},
		{src: obsService, text: `~^_cgi\._tcp`, roles: camOrNVR(10)},
		{src: obsService, text: `~^_hue\._tcp`, roles: hub(32), vendor: "Philips Lighting (Signify)", vdb: 32, model: "Hue Bridge", mdb: 20},
		{src: obsService, text: `~^_(?:ipps?|printer|pdl-datastream|uscans?|scanner)\._tcp`, roles: printer(28)},
		{src: obsService, text: `~^_googlecast\._tcp`, roles: iot(22)},
		{src: obsService, text: `~^_(?:airplay|raop)\._tcp`, roles: deskOrIoT(12)},
		{src: obsService, text: `~^_spotify-connect\._tcp`, roles: iot(14)},
		{src: obsService, text: `~^_sonos\._tcp`, roles: iot(28), vendor: "Sonos", vdb: 30},
		{src: obsService, text: `~^_amzn-(?:wplay|alexa)\._tcp`, roles: iot(20), vendor: "Amazon", vdb: 20},
		{src: obsService, text: `~^_androidtvremote`, roles: iot(22)},
		{src: obsService, text: `~^_(?:dhnap|dcp)\._tcp`, vendor: "D-Link", vdb: 25},
		{src: obsService, text: `~^_http\._tcp .*(DCS-\w+|DCH-9\w+)`, roles: cam(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 24},
		{src: obsService, text: `~^_http\._tcp .*(DCH-G\w+)`, roles: hub(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 24},
		{src: obsService, text: `~^_http\._tcp .*((?:DCH|DSP)-\w+)`, roles: iot(22), vendor: "D-Link", vdb: 25, model: "$1", mdb: 24},
		{src: obsService, text: `~^_http\._tcp .*(?:network|ip) ?camera`, roles: cam(20)},
		{src: obsService, text: `~^_(?:shelly|wled|esphomelib|miio|tplink-?\w*|lifx|nanoleafapi|elg)\._(?:tcp|udp)`, roles: iot(25)},
		{src: obsService, text: `~^_(?:home-assistant|hap-bridge|ihsp|tradfri|coap)\._(?:tcp|udp)`, roles: hub(12)},
		{src: obsService, text: `~^_apple-mobdev2?\._tcp`, roles: phone(22), vendor: "Apple", vdb: 18},
		{src: obsService, text: `~^_companion-link\._tcp`, roles: []vote{{Workstation, 8}, {Phone, 8}}, vendor: "Apple", vdb: 12},
		{src: obsService, text: `~^_(?:smb|afpovertcp|adisk|nfs)\._tcp`, roles: computer(12)},
		{src: obsService, text: `~^_(?:ssh|sftp-ssh|rfb)\._tcp`, roles: computer(8)},
		{src: obsService, text: `~^_workstation\._tcp`, roles: computer(8)},
		{src: obsService, text: `~^_sip\._(?:udp|tcp)`, roles: phone(12)},
		{src: obsService, text: `~^_(?:unifi|ubnt)`, roles: gear(12), vendor: "Ubiquiti", vdb: 22},
		{src: obsService, text: `~^_airport\._tcp`, roles: gear(28), vendor: "Apple", vdb: 20},
	}
	return append(rows, txtRows()...)
}

func txtRows() []row {
	return []row{
		// HomeKit accessory categories (ci of _hap._tcp).
		{src: obsTXT, text: "=_hap._tcp ci=2", roles: hub(22)},
		{src: obsTXT, text: "=_hap._tcp ci=17", roles: cam(28)},
		{src: obsTXT, text: "=_hap._tcp ci=18", roles: cam(22)},
		{src: obsTXT, text: `~^_hap\._tcp ci=(?:[3-9]|1[0-69]|2\d|3\d)$`, roles: iot(22)},
		{src: obsTXT, text: `~^_hap\._tcp md=(BSB\d+)`, roles: hub(25), vendor: "Philips Lighting (Signify)", vdb: 25, model: "Hue Bridge $1", mdb: 25},
		{src: obsTXT, text: `~^_hap\._tcp md=(DCS-\w+|Arlo\w*|Circle\w*|Welcome|Presence)`, roles: cam(18), model: "$1", mdb: 20},
		{src: obsTXT, text: `~^_(?:dhnap|dcp)\._tcp model_number=(DCS-\w+|DCH-9\w+)`, roles: cam(25), vendor: "D-Link", vdb: 28, model: "$1", mdb: 28},
		{src: obsTXT, text: `~^_(?:dhnap|dcp)\._tcp model_number=(DCH-G\w+)`, roles: hub(25), vendor: "D-Link", vdb: 28, model: "$1", mdb: 28},
		{src: obsTXT, text: `~^_(?:dhnap|dcp)\._tcp model_number=(\S+)`, roles: iot(25), vendor: "D-Link", vdb: 28, model: "$1", mdb: 28},
		{src: obsTXT, text: `~^_http\._tcp (IC-\d{4}\w*) Network Camera`, roles: cam(24), vendor: "Edimax", vdb: 15, model: "$1", mdb: 26},
		{src: obsTXT, text: `~(?:network|ip) ?camera`, roles: cam(20)},
		{src: obsTXT, text: `~^_axis-video\._tcp macaddress=`, roles: cam(25), vendor: "Axis", vdb: 25},
		{src: obsTXT, text: `~^_googlecast\._tcp md=(Chromecast[^,]*|Google [^,]*|Nest [^,]*)`, roles: iot(25), vendor: "Google", vdb: 20, model: "$1", mdb: 25},
		{src: obsTXT, text: `~^_(?:ipps?|printer|pdl-datastream)\._tcp ty=(HP|Brother|Canon|EPSON|Lexmark|Xerox|KYOCERA|RICOH) (.+)`, roles: printer(30), model: "$1 $2", mdb: 28},
		{src: obsTXT, text: `~ model=(MacBook\w*|iMac\w*|Macmini\w*|MacPro\w*|Mac)[\d,]*$`, roles: desk(22), vendor: "Apple", vdb: 22, model: "$1", mdb: 15},
		{src: obsTXT, text: `~ model=(iPhone|iPad)[\d,]*$`, roles: phone(22), vendor: "Apple", vdb: 22, model: "$1", mdb: 15},
		{src: obsTXT, text: `~ (?:model|am)=(AppleTV|AudioAccessory)[\d,]*$`, roles: iot(22), vendor: "Apple", vdb: 22, model: "$1", mdb: 15},
		{src: obsTXT, text: `~ (?:model|am)=(?:Xserve|RackMac)`, roles: server(20), vendor: "Apple", vdb: 18},
	}
}
