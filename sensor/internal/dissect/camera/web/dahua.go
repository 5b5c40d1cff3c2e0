// SPDX-License-Identifier: Apache-2.0

package web

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
)

// dahuaRows are the requests of Dahua's CGI (Dahua HTTP API for IPC and SD 1.40; HTTP API 3). A directory of this name is on many servers:
// the name of the script and its parameters must fit. The first that fits decides.
var dahuaRows = []row{
	{pattern: "/cgi-bin/ptz.cgi?action=start&code", kind: dissect.ActionMove},
	{pattern: "/cgi-bin/ptz.cgi?action=stop&code", kind: dissect.ActionMove},
	{pattern: "/cgi-bin/ptz.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/ptzBase.cgi?action", kind: dissect.ActionMove},
	{pattern: "/cgi-bin/devVideoInput.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/devVideoInput.cgi?action", kind: dissect.ActionMove}, // focus
	{pattern: "/cgi-bin/snapshot.cgi?channel", kind: dissect.ActionView},
	{pattern: "/cgi-bin/mjpg/video.cgi?channel&subtype", kind: dissect.ActionView},
	{pattern: "/cgi-bin/realmonitor.cgi?action=getStream", kind: dissect.ActionView},
	{pattern: "/cgi-bin/playBack.cgi?action=getStream", kind: dissect.ActionView},
	{pattern: "/cgi-bin/loadfile.cgi?action=startLoad", kind: dissect.ActionView},
	{pattern: "/cgi-bin/RPC_Loadfile/**", kind: dissect.ActionView},
	{pattern: "/cgi-bin/mediaFileFind.cgi?action", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/configManager.cgi?action=setConfig", setting: camera.SettingKind, kind: dissect.ActionConfiguration},
	{pattern: "/cgi-bin/configManager.cgi?action=restore*", kind: dissect.ActionReset},
	{pattern: "/cgi-bin/configManager.cgi?action=deleteConfig", kind: dissect.ActionConfiguration},
	{pattern: "/cgi-bin/configManager.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/Config.backup?action", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/magicBox.cgi?action=reboot", kind: dissect.ActionReboot},
	{pattern: "/cgi-bin/magicBox.cgi?action=shutdown", kind: dissect.ActionReboot},
	{pattern: "/cgi-bin/magicBox.cgi?action=resetSystem*", kind: dissect.ActionReset},
	{pattern: "/cgi-bin/magicBox.cgi?action=getDeviceType", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=getDeviceClass", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=getSerialNo", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=getSoftwareVersion", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=getSystemInfo*", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=getMachineName", kind: dissect.ActionRead, describes: true},
	{pattern: "/cgi-bin/magicBox.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/userManager.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/userManager.cgi?action=addUser", kind: dissect.ActionUsers},
	{pattern: "/cgi-bin/userManager.cgi?action=deleteUser", kind: dissect.ActionUsers},
	{pattern: "/cgi-bin/userManager.cgi?action=modifyUser", kind: dissect.ActionUsers},
	{pattern: "/cgi-bin/userManager.cgi?action=modifyPassword*", kind: dissect.ActionUsers},
	{pattern: "/cgi-bin/upgrader.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/upgrader.cgi?action", kind: dissect.ActionUpgrade},
	{pattern: "/cgi-bin/global.cgi?action=setCurrentTime", kind: dissect.ActionTime},
	{pattern: "/cgi-bin/global.cgi?action=getCurrentTime", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/eventManager.cgi?action", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/storageDevice.cgi?action=get*", kind: dissect.ActionRead},
	{pattern: "/cgi-bin/storageDevice.cgi?action", kind: dissect.ActionVideo}, // formats a disk
}
