// SPDX-License-Identifier: Apache-2.0

package device

// clientRows: what client programs say of the system that they run on.
func clientRows() []row {
	return []row{
		{src: obsUserAgent, text: "~iPhone|CPU OS \\d+_\\d+ like Mac", roles: phone(20), vendor: "Apple", vdb: 15},
		{src: obsUserAgent, text: "~Android [\\d.]+;.*(?:TV|BRAVIA|AFT[A-Z])", roles: iot(16)},
		{src: obsUserAgent, text: "~Android.*Mobile|Dalvik/", roles: handheld(16)},
		{src: obsUserAgent, text: "~SMART-TV|SmartTV|Tizen|Web0S|webOS|HbbTV|Roku/DVP|PlayStation|Nintendo|Xbox", roles: iot(20)},
		{src: obsUserAgent, text: "~Windows NT.*Server|Windows-?Server", roles: server(14)},
		{src: obsUserAgent, text: "~Windows NT|Microsoft-CryptoAPI|Windows-Update-Agent|Microsoft (?:NCSI|BITS|Office)", roles: []vote{{Workstation, 16}, {Server, 6}}},
		{src: obsUserAgent, text: "~Macintosh|Mac OS X|Darwin/.*x86_64", roles: desk(16), vendor: "Apple", vdb: 12},
		{src: obsUserAgent, text: "~CFNetwork|CaptiveNetworkSupport", roles: []vote{{Phone, 8}, {Workstation, 8}}, vendor: "Apple", vdb: 12},
		{src: obsUserAgent, text: "~CrOS|X11; (?:Ubuntu; )?Linux (?:x86_64|i686)", roles: desk(16)},
		{src: obsUserAgent, text: "~^(?:Debian APT|libdnf|yum/|dnf/|pacman/|Zypp)", roles: []vote{{Server, 10}, {Workstation, 6}}},
		{src: obsUserAgent, text: "~Milestone|XProtect|Genetec|exacq|Blue ?Iris|Nx Witness|iVMS|SmartPSS", roles: []vote{{VMS, 16}, {Workstation, 8}}},
		{src: obsUserAgent, text: "~^(?:Hikvision|NVR|DVR|NetSDK)", roles: recorder(12)},
		{src: obsUserAgent, text: "~VLC/|LibVLC|Lavf/|GStreamer", roles: []vote{{Workstation, 3}, {Server, 3}, {NVR, 3}}},
		{src: obsUserAgent, text: "~^(?:ESP8266|ESP32|ESP-IDF|Arduino|lwIP)", roles: iot(16)},
		{src: obsUserAgent, text: "~^Fitbit|Aria", roles: iot(14), vendor: "Fitbit", vdb: 14},
		{src: obsUserAgent, text: "~^Withings", roles: iot(18), vendor: "Withings", vdb: 20},
		{src: obsUserAgent, text: "~Sonos/", roles: iot(22), vendor: "Sonos", vdb: 25},
		{src: obsUserAgent, text: "~(?:Wget|BusyBox)", roles: embedded(3)},
		{src: obsRequest, text: "fitbit.com/scale/", roles: iot(18), vendor: "Fitbit", vdb: 18, model: "Aria", mdb: 18},
		{src: obsSSHClient, text: "~PuTTY|WinSCP|MobaXterm|SecureCRT", roles: desk(14)},
		{src: obsSSHClient, text: "~for_Windows", roles: computer(10)},
		{src: obsSSHClient, text: "~paramiko|libssh|Go$|JSCH", roles: server(5)},
	}
}

// behaviourRows: what a device does. The value of obsServe is "proto/port app".
func behaviourRows() []row {
	return []row{
		{src: obsPulls, text: "streams", roles: []vote{{NVR, 20}, {VMS, 14}, {Camera, -10}}},
		{src: obsManyNames, text: "asks", roles: []vote{{Workstation, 10}, {Phone, 9}, {Server, 2}, {Camera, -12}, {NVR, -10}, {Printer, -10}, {IoTHub, -8}, {IoT, -6}, {NetworkGear, -2}}},
		{src: obsRouter, text: "forwards", roles: []vote{{NetworkGear, 32}, {Camera, -20}, {IoT, -15}, {IoTHub, -10}, {Printer, -20}, {Phone, -10}, {Workstation, -8}}},
		{src: obsServe, text: "rtsp answers", roles: []vote{{Camera, 10}, {NVR, 6}}},
		{src: obsServe, text: "~^tcp/\\d+ rtsp$", roles: []vote{{Camera, 6}, {NVR, 4}}},
		{src: obsServe, text: "=tcp/554", roles: []vote{{Camera, 4}, {NVR, 3}}},
		{src: obsServe, text: "~^tcp/37777 d(?:ahua|vrip)", roles: camOrNVR(15), vendor: "Dahua", vdb: 10},
		{src: obsServe, text: "~^tcp/34567 (?:xm|sofia)", roles: camOrNVR(15), vendor: "Xiongmai", vdb: 10},
		{src: obsServe, text: "~^tcp/(?:37777|34567)", roles: camOrNVR(4)},
		{src: obsServe, text: "=tcp/62910", roles: hub(10), vendor: "eQ-3", vdb: 8},
		{src: obsServe, text: "~^(?:tcp|udp)/2081", roles: iot(6), vendor: "Smarter", vdb: 8},
		{src: obsServe, text: "~^(?:tcp|udp)/9999", roles: iot(4)},
		{src: obsServe, text: "~^tcp/(?:9100|515|631)(?: (?:ipp|jetdirect|lpd|http))$", roles: printer(12)},
		{src: obsServe, text: "~^tcp/(?:9100|515|631)$", roles: printer(6)},
		{src: obsServe, text: "~^udp/67 dhcp", roles: []vote{{NetworkGear, 16}, {Server, 6}}},
		{src: obsServe, text: "~^(?:udp|tcp)/53 dns", roles: []vote{{NetworkGear, 9}, {Server, 8}}},
		{src: obsServe, text: "~^tcp/\\d+ (?:smb|nbss|netbios)", roles: []vote{{Server, 6}, {Workstation, 5}}},
		{src: obsServe, text: "~^(?:tcp|udp)/\\d+ (?:ldap|kerberos|krb5|mssql|tds|mysql|postgres\\w*|mongodb|redis|oracle|nfs)", roles: server(14)},
		{src: obsServe, text: "~^tcp/\\d+ (?:smtp|imap|pop3?)", roles: server(14)},
		{src: obsServe, text: "~^tcp/\\d+ rdp", roles: computer(8)},
		{src: obsServe, text: "~^tcp/(?:5060|5061) sip", roles: phone(6)},
	}
}
