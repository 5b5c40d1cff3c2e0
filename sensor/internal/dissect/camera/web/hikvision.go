// SPDX-License-Identifier: Apache-2.0

package web

import "stillwatch/sensor/internal/dissect"

// isapiRows are the requests of ISAPI (Hikvision: ISAPI Core Protocol; IPMD Service 2.6). The first that fits decides.
var isapiRows = []row{
	{pattern: "/ISAPI/Security/sessionLogin**"}, // a login is no action
	{pattern: "/ISAPI/Security/sessionLogout**"},
	{pattern: "/ISAPI/Security/sessionHeartbeat**"},
	{pattern: "/ISAPI/Security/userCheck**"},
	{pattern: "/ISAPI/Security/challenge**"},
	{pattern: "GET /ISAPI/System/deviceInfo", kind: dissect.ActionRead, describes: true},
	{pattern: "GET /ISAPI/Security/users**", kind: dissect.ActionRead},
	{pattern: "GET /ISAPI/System/configurationData", kind: dissect.ActionRead},
	{pattern: "GET /ISAPI/Streaming/channels/*/picture", kind: dissect.ActionView},
	{pattern: "GET /ISAPI/Streaming/channels/*/httpPreview", kind: dissect.ActionView},
	{pattern: "GET /ISAPI/Streaming/picture", kind: dissect.ActionView},
	{pattern: "GET /ISAPI/ContentMgmt/StreamingProxy/channels/*/picture", kind: dissect.ActionView},
	{pattern: "/ISAPI/ContentMgmt/download", kind: dissect.ActionView},
	{pattern: "GET /ISAPI/**", kind: dissect.ActionRead},
	{pattern: "POST /ISAPI/ContentMgmt/search", kind: dissect.ActionRead},
	{pattern: "POST /ISAPI/ContentMgmt/logSearch", kind: dissect.ActionRead},
	{pattern: "PUT /ISAPI/PTZCtrl/**", kind: dissect.ActionMove},
	{pattern: "POST /ISAPI/PTZCtrl/**", kind: dissect.ActionMove},
	{pattern: "DELETE /ISAPI/PTZCtrl/**", kind: dissect.ActionMove},
	{pattern: "PUT /ISAPI/System/Video/inputs/channels/*/focus", kind: dissect.ActionMove},
	{pattern: "PUT /ISAPI/System/Video/inputs/channels/*/iris", kind: dissect.ActionMove},
	{pattern: "PUT /ISAPI/System/reboot", kind: dissect.ActionReboot},
	{pattern: "PUT /ISAPI/System/shutdown", kind: dissect.ActionReboot},
	{pattern: "PUT /ISAPI/System/factoryReset", kind: dissect.ActionReset},
	{pattern: "PUT /ISAPI/System/updateFirmware**", kind: dissect.ActionUpgrade},
	{pattern: "POST /ISAPI/System/updateFirmware**", kind: dissect.ActionUpgrade},
	{pattern: "PUT /ISAPI/System/activate", kind: dissect.ActionUsers}, // sets the first password
	{pattern: "PUT /ISAPI/Security/users**", kind: dissect.ActionUsers},
	{pattern: "POST /ISAPI/Security/users**", kind: dissect.ActionUsers},
	{pattern: "DELETE /ISAPI/Security/users**", kind: dissect.ActionUsers},
	{pattern: "PUT /ISAPI/Security/UserPermission**", kind: dissect.ActionUsers},
	{pattern: "PUT /ISAPI/Security/ONVIF/users**", kind: dissect.ActionUsers},
	{pattern: "POST /ISAPI/Security/ONVIF/users**", kind: dissect.ActionUsers},
	{pattern: "DELETE /ISAPI/Security/ONVIF/users**", kind: dissect.ActionUsers},
	{pattern: "PUT /ISAPI/Security/adminAccesses**", kind: dissect.ActionNetwork},
	{pattern: "PUT /ISAPI/System/Network/**", kind: dissect.ActionNetwork},
	{pattern: "POST /ISAPI/System/Network/**", kind: dissect.ActionNetwork},
	{pattern: "DELETE /ISAPI/System/Network/**", kind: dissect.ActionNetwork},
	{pattern: "PUT /ISAPI/System/time**", kind: dissect.ActionTime},
	{pattern: "PUT /ISAPI/Streaming/**", kind: dissect.ActionVideo},
	{pattern: "PUT /ISAPI/Image/**", kind: dissect.ActionVideo},
	{pattern: "PUT /ISAPI/System/Video/**", kind: dissect.ActionVideo},
	{pattern: "POST /ISAPI/System/Video/**", kind: dissect.ActionVideo},
	{pattern: "DELETE /ISAPI/System/Video/**", kind: dissect.ActionVideo},
	{pattern: "PUT /ISAPI/ContentMgmt/**", kind: dissect.ActionVideo}, // recording, formatting of disks
	{pattern: "POST /ISAPI/ContentMgmt/record/**", kind: dissect.ActionVideo},
	{pattern: "PUT /ISAPI/**", kind: dissect.ActionConfiguration},
	{pattern: "POST /ISAPI/**", kind: dissect.ActionConfiguration},
	{pattern: "DELETE /ISAPI/**", kind: dissect.ActionConfiguration},
}

// psiaRows are the requests of the older form of the same interface (PSIA IP Media Device API 1.1; Hikvision IPMD 1.5.9).
var psiaRows = []row{
	{pattern: "GET /PSIA/System/deviceInfo", kind: dissect.ActionRead, describes: true},
	{pattern: "GET /PSIA/Streaming/channels/*/picture", kind: dissect.ActionView},
	{pattern: "GET /PSIA/Streaming/channels/*/http", kind: dissect.ActionView},
	{pattern: "GET /PSIA/**", kind: dissect.ActionRead},
	{pattern: "PUT /PSIA/PTZ/**", kind: dissect.ActionMove},
	{pattern: "PUT /PSIA/System/reboot", kind: dissect.ActionReboot},
	{pattern: "PUT /PSIA/System/factoryReset", kind: dissect.ActionReset},
	{pattern: "PUT /PSIA/System/updateFirmware**", kind: dissect.ActionUpgrade},
	{pattern: "PUT /PSIA/Security/AAA/users**", kind: dissect.ActionUsers},
	{pattern: "POST /PSIA/Security/AAA/users**", kind: dissect.ActionUsers},
	{pattern: "DELETE /PSIA/Security/AAA/users**", kind: dissect.ActionUsers},
	{pattern: "PUT /PSIA/System/Network/**", kind: dissect.ActionNetwork},
	{pattern: "PUT /PSIA/System/time**", kind: dissect.ActionTime},
	{pattern: "PUT /PSIA/Streaming/**", kind: dissect.ActionVideo},
	{pattern: "PUT /PSIA/System/Video/**", kind: dissect.ActionVideo},
	{pattern: "PUT /PSIA/**", kind: dissect.ActionConfiguration},
	{pattern: "POST /PSIA/**", kind: dissect.ActionConfiguration},
	{pattern: "DELETE /PSIA/**", kind: dissect.ActionConfiguration},
}
