// SPDX-License-Identifier: Apache-2.0

package web

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// vapixRows are the requests of VAPIX (developer.axis.com/vapix/network-video: System settings, Firmware management, Parameter management, Pan
// tilt zoom, Video streaming, Basic device information). The first that fits decides.
var vapixRows = []row{
	{pattern: "/axis-cgi/com/ptz.cgi?query", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/com/ptz.cgi?info", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/com/ptz.cgi", kind: dissect.ActionMove},
	{pattern: "/axis-cgi/com/ptzconfig.cgi?query", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/com/ptzconfig.cgi", kind: dissect.ActionConfiguration},
	{pattern: "/axis-cgi/opticscontrol.cgi#get*", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/opticscontrol.cgi", kind: dissect.ActionMove},
	{pattern: "/axis-cgi/opticssetup.cgi", kind: dissect.ActionMove},
	{pattern: "/axis-cgi/param.cgi?action=list*", kind: dissect.ActionRead, describes: true},
	{pattern: "/axis-cgi/param.cgi?action=update", setting: axisSetting, kind: dissect.ActionConfiguration},
	{pattern: "/axis-cgi/param.cgi?action=add", kind: dissect.ActionConfiguration},
	{pattern: "/axis-cgi/param.cgi?action=remove", kind: dissect.ActionConfiguration},
	{pattern: "/axis-cgi/basicdeviceinfo.cgi", kind: dissect.ActionRead, describes: true},
	{pattern: "/axis-cgi/restart.cgi", kind: dissect.ActionReboot},
	{pattern: "/axis-cgi/factorydefault.cgi", kind: dissect.ActionReset},
	{pattern: "/axis-cgi/hardfactorydefault.cgi", kind: dissect.ActionReset},
	{pattern: "/axis-cgi/firmwareupgrade.cgi", kind: dissect.ActionUpgrade},
	{pattern: "/axis-cgi/firmwaremanagement.cgi#reboot", kind: dissect.ActionReboot},
	{pattern: "/axis-cgi/firmwaremanagement.cgi#factoryDefault", kind: dissect.ActionReset},
	{pattern: "/axis-cgi/firmwaremanagement.cgi#status", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/firmwaremanagement.cgi#get*", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/firmwaremanagement.cgi", kind: dissect.ActionUpgrade},  // upgrade, rollback, commit, purge
	{pattern: "/axis-cgi/applications/upload.cgi", kind: dissect.ActionUpgrade}, // installs a program
	{pattern: "/axis-cgi/applications/list.cgi", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/applications/**", kind: dissect.ActionConfiguration},
	{pattern: "/axis-cgi/pwdgrp.cgi?action=get", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/pwdgrp.cgi", kind: dissect.ActionUsers},
	{pattern: "/axis-cgi/usergroup.cgi", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/network_settings.cgi#get*", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/network_settings.cgi", kind: dissect.ActionNetwork},
	{pattern: "/axis-cgi/date.cgi?action=get", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/date.cgi", kind: dissect.ActionTime},
	{pattern: "/axis-cgi/time.cgi#get*", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/time.cgi", kind: dissect.ActionTime},
	{pattern: "/axis-cgi/ntp.cgi#get*", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/ntp.cgi", kind: dissect.ActionTime},
	{pattern: "GET /axis-cgi/mjpg/**", kind: dissect.ActionView},
	{pattern: "GET /axis-cgi/jpg/**", kind: dissect.ActionView},
	{pattern: "GET /axis-cgi/bitmap/**", kind: dissect.ActionView},
	{pattern: "GET /axis-cgi/media.cgi", kind: dissect.ActionView},
	{pattern: "GET /axis-cgi/record/export/**", kind: dissect.ActionView},
	{pattern: "GET /axis-cgi/record/list.cgi", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/record/**", kind: dissect.ActionVideo},
	{pattern: "/axis-cgi/disks/list.cgi", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/disks/**", kind: dissect.ActionVideo}, // formats a card
	{pattern: "/axis-cgi/dynamicoverlay/**", kind: dissect.ActionVideo},
	{pattern: "/axis-cgi/privacymask.cgi?query", kind: dissect.ActionRead},
	{pattern: "/axis-cgi/privacymask.cgi", kind: dissect.ActionVideo},
	{pattern: "GET /axis-cgi/**", kind: dissect.ActionRead},
	{pattern: "POST /axis-cgi/**#get*", kind: dissect.ActionRead},
	{pattern: "POST /axis-cgi/**#list*", kind: dissect.ActionRead},
	{pattern: "POST /axis-cgi/**", kind: dissect.ActionConfiguration},
}

// axisSetting returns the kind of a parameter by its group.
func axisSetting(name []byte) dissect.ActionKind {
	if parse.FoldPrefix(name, "root.") {
		name = name[len("root."):]
	}
	for _, g := range axisGroups {
		if parse.FoldPrefix(name, g.prefix) {
			return g.kind
		}
	}
	return dissect.ActionConfiguration
}

var axisGroups = []struct {
	prefix string // in lower case
	kind   dissect.ActionKind
}{
	{"network.", dissect.ActionNetwork},
	{"remoteservice.", dissect.ActionNetwork},
	{"time.", dissect.ActionTime},
	{"image.", dissect.ActionVideo},
	{"imagesource.", dissect.ActionVideo},
	{"streamprofile.", dissect.ActionVideo},
	{"storage.", dissect.ActionVideo},
}
