// SPDX-License-Identifier: Apache-2.0

package device

import "slices"

// cloud is a set of domains that devices of one vendor ask for.
type cloud struct {
	roles   []vote
	vendor  string
	vdb     float64
	model   string
	domains []string
}

// nameRows: domains that devices of a vendor ask for. Where the domain is also visited by people or by the vendor's app on a
// phone it gets 10 dB at most; hosts that only the device itself speaks to get more.
func nameRows() []row {
	var rows []row
	for _, x := range slices.Concat(cameraClouds(), hubClouds(), thingClouds(), systemClouds()) {
		for _, d := range x.domains {
			mdb := 0.0
			if x.model != "" {
				mdb = 10
			}
			rows = append(rows, row{src: obsName, text: d, roles: x.roles, vendor: x.vendor, vdb: x.vdb, model: x.model, mdb: mdb})
		}
	}
	return rows
}

// cameraClouds are of cameras and recorders.
func cameraClouds() []cloud {
	return []cloud{
		{camOrNVR(10), "Hikvision", 10, "", []string{"hik-connect.com", "hikvision.com", "hik-online.com", "hicloudcam.com"}},
		{cam(10), "EZVIZ", 10, "", []string{"ezvizlife.com", "ezviz7.com", "ezvizru.com", "ys7.com"}},
		{camOrNVR(10), "Dahua", 10, "", []string{"easy4ip.com", "easy4ipcloud.com", "dahuap2p.com", "dahuaddns.com", "quickddns.com"}},
		{cam(10), "Imou", 10, "", []string{"imoulife.com", "lechange.com"}},
		{cam(10), "Axis", 10, "", []string{"axis.com", "axiscam.net"}},
		{cam(10), "Reolink", 10, "", []string{"reolink.com", "p2p.reolink.com"}},
		{cam(12), "Yi", 12, "", []string{"xiaoyi.com", "xiaoyi.com.tw", "yitechnology.com", "yihomeapp.com", "us.xiaoyi.com", "kamihome.com"}},
		{cam(10), "Wyze", 12, "", []string{"wyze.com", "wyzecam.com"}},
		{cam(16), "Blink", 16, "Blink Camera", []string{"immedia-semi.com"}},
		{cam(10), "Blink", 14, "", []string{"blinkforhome.com"}},
		{cam(10), "Ring", 12, "", []string{"ring.com", "ring.devices.a2z.com"}},
		{cam(10), "Arlo", 12, "", []string{"arlo.com", "arloxcld.com", "vzwow.com"}},
		{cam(10), "Amcrest", 12, "", []string{"amcrestcloud.com", "amcrestsecurity.com", "amcrestddns.com"}},
		{cam(10), "Foscam", 12, "", []string{"myfoscam.org", "myfoscam.com", "foscam.com"}},
		{cam(10), "Google Nest", 10, "", []string{"dropcam.com", "nexusapi.dropcam.com", "camera.home.nest.com"}},
		{cam(10), "Canary", 12, "", []string{"canaryis.com", "canary.is"}},
		{cam(10), "Verkada", 14, "", []string{"verkada.com", "control.verkada.com"}},
		{cam(10), "Xiongmai", 10, "", []string{"xmeye.net", "xmcsrv.net", "secu100.net"}},
		{camOrNVR(10), "Uniview", 10, "", []string{"uniview.com", "en.ezcloud.uniview.com", "star4live.com"}},
		{cam(10), "Hanwha", 8, "", []string{"hanwha-security.com", "websamsung.net"}},
		{camOrNVR(8), "", 0, "", []string{"tutk.com", "iotcplatform.com", "p2pcloud.cn", "vstarcam.com"}},
		{recorder(10), "Swann", 10, "", []string{"swannsecurity.com", "swanndvr.com"}},
		{recorder(10), "Lorex", 10, "", []string{"lorexddns.net", "lorextechnology.com"}},
	}
}

// hubClouds are of hubs.
func hubClouds() []cloud {
	return []cloud{
		{hub(12), "Philips Lighting (Signify)", 12, "Hue Bridge", []string{"meethue.com", "bridge.meethue.com", "dcp.cpp.philips.com", "dcs.cpp.philips.com", "dcp.dc1.philips.com", "diag.meethue.com", "ws.meethue.com"}},
		{hub(18), "Osram", 18, "Lightify Gateway", []string{"lightify.com", "arrayent.com", "osram.arrayent.com"}},
		{hub(18), "eQ-3", 18, "MAX! Cube", []string{"max.eq-3.de", "smarthome.eq-3.de"}},
		{hub(12), "eQ-3", 15, "", []string{"eq-3.de", "homematic.com"}},
		{hub(12), "SmartThings", 15, "", []string{"smartthings.com", "connect.smartthings.com"}},
		{hub(12), "IKEA", 12, "", []string{"tradfri.ikea.com", "fw.ota.homesmart.ikea.net", "ota.homesmart.ikea.com"}},
		{hub(14), "Wink", 15, "", []string{"wink.com", "winkapp.com"}},
		{hub(16), "TTLock (Sciener)", 16, "", []string{"plug.sciener.cn", "plug.sciener.com", "plug.ttlock.com"}},
		{hub(10), "TTLock (Sciener)", 14, "", []string{"sciener.cn", "sciener.com", "ttlock.com", "ttlock.cn", "sifely.com"}},
		{hub(10), "Aqara", 12, "", []string{"aqara.com", "aqara.cn"}},
		{hub(12), "Insteon", 14, "", []string{"connect.insteon.com", "insteon.com"}},
		{hub(16), "", 0, "", []string{"icomen.yunext.com"}},
		{hub(12), "Ednet (Assmann)", 14, "", []string{"ednet-living.com"}},
	}
}

// thingClouds are of plugs, scales, locks, speakers and other things.
func thingClouds() []cloud {
	return []cloud{
		{iot(16), "TP-Link", 12, "", []string{"devs.tplinkcloud.com", "deventry.tplinkcloud.com"}},
		{iot(8), "TP-Link", 10, "", []string{"tplinkcloud.com", "tplinkra.com", "tplinknbu.com"}},
		{[]vote{{IoT, 13}, {IoTHub, 9}}, "Belkin", 14, "WeMo", []string{"xbcs.net", "api.xbcs.net", "nat.xbcs.net", "fw.xbcs.net", "heartbeat.xwemo.com", "xwemo.com"}},
		{iot(18), "Withings", 20, "Wi-Fi Scale", []string{"scalews.withings.net", "scalews.withings.com", "fw.withings.net"}},
		{iot(10), "Withings", 12, "", []string{"withings.net", "withings.com"}},
		{iot(16), "Fitbit", 18, "Aria", []string{"aria.fitbit.com"}},
		{iot(10), "Fitbit", 12, "", []string{"fitbit.com"}},
		{[]vote{{IoT, 11}, {Camera, 9}}, "Edimax", 12, "", []string{"myedimax.com"}},
		{[]vote{{IoT, 8}, {Camera, 7}}, "D-Link", 12, "", []string{"mydlink.com", "dlink.com", "signal.mydlink.com"}},
		{iot(14), "Smarter", 20, "", []string{"smarter.am", "smartercoffee.com", "api.smarter.am"}},
		{iot(12), "Tuya", 8, "", []string{"tuyaus.com", "tuyaeu.com", "tuyacn.com", "tuyain.com", "iotbing.com"}},
		{iot(14), "Schlage (Allegion)", 16, "", []string{"allegion.yonomi.cloud", "allegion.com", "allegionengage.com", "schlage.com", "yonomi.cloud"}},
		{iot(12), "August", 14, "", []string{"august.com", "rbs.august.com"}},
		{iot(12), "iRobot", 14, "", []string{"irobot.com", "irobotapi.com", "irobotcs.com"}},
		{iot(12), "Roborock", 12, "", []string{"roborock.com"}},
		{iot(12), "ecobee", 14, "", []string{"ecobee.com", "home.ecobee.com"}},
		{iot(12), "Google Nest", 10, "", []string{"transport.home.nest.com", "weave-logsink.nest.com", "devices.nest.com"}},
		{iot(12), "LIFX", 14, "", []string{"lifx.co", "v2.broker.lifx.co"}},
		{iot(12), "Xiaomi", 12, "", []string{"ot.io.mi.com", "ott.io.mi.com", "io.mi.com"}},
		{iot(10), "Amazon", 10, "", []string{"device-metrics-us.amazon.com", "device-metrics-us-2.amazon.com", "dp-gw-na.amazon.com", "avs-alexa-na.amazon.com", "bob-dispatch-prod-na.amazon.com"}},
		{iot(12), "Roku", 14, "", []string{"roku.com", "logs.roku.com", "rokutime.com"}},
		{iot(12), "Sonos", 14, "", []string{"sonos.com", "sonos.radio", "ws.sonos.com"}},
		{iot(10), "LG", 10, "", []string{"lgtvsdp.com", "lgeapi.com", "lgsmartad.com"}},
		{iot(10), "Samsung", 10, "", []string{"samsungcloudsolution.com", "samsungcloudsolution.net", "samsungotn.net"}},
		{iot(12), "Shelly", 14, "", []string{"shelly.cloud", "iot.shelly.cloud"}},
		{iot(10), "Sonoff", 12, "", []string{"coolkit.cc", "coolkit.cn", "ewelink.cc"}},
		{iot(12), "Netatmo", 12, "", []string{"netcom.netatmo.net"}},
		{iot(12), "Sense", 14, "", []string{"sense.com"}},
		{iot(12), "Chamberlain", 14, "", []string{"myqdevice.com", "myq-cloud.com", "liftmaster.com"}},
	}
}

// systemClouds are what operating systems, network gear and printers ask for.
func systemClouds() []cloud {
	return []cloud{
		{[]vote{{Phone, 6}, {IoT, 3}}, "", 0, "", []string{"connectivitycheck.gstatic.com", "connectivitycheck.android.com", "mtalk.google.com", "android.clients.google.com"}},
		{[]vote{{Phone, 5}, {Workstation, 5}}, "Apple", 8, "", []string{"captive.apple.com", "gsp-ssl.ls.apple.com", "courier.push.apple.com", "push.apple.com", "gs-loc.apple.com"}},
		{[]vote{{Workstation, 12}, {Server, 5}}, "", 0, "", []string{"msftncsi.com", "msftconnecttest.com", "windowsupdate.com", "update.microsoft.com", "wns.windows.com", "settings-win.data.microsoft.com"}},
		{computer(6), "", 0, "", []string{"connectivity-check.ubuntu.com", "ntp.ubuntu.com", "archive.ubuntu.com", "security.ubuntu.com", "deb.debian.org", "mirrors.fedoraproject.org"}},
		{gear(12), "Ubiquiti", 12, "", []string{"ubnt.com", "fw-download.ubnt.com", "unifi"}},
		{gear(12), "Cisco Meraki", 12, "", []string{"meraki.com", "mtunnel.meraki.com"}},
		{gear(14), "MikroTik", 14, "", []string{"cloud.mikrotik.com", "cloud2.mikrotik.com", "upgrade.mikrotik.com"}},
		{printer(12), "HP", 10, "", []string{"hpeprint.com", "xmpp009.hpeprint.com", "ccc.hpeprint.com", "avatar.ext.hp.com"}},
		{printer(12), "Epson", 12, "", []string{"epsonconnect.com", "epsonconnect.info"}},
		{printer(12), "Brother", 12, "", []string{"bwc.brother.com", "brother-apps.com"}},
	}
}
