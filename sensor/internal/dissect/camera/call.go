// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"strings"

	"stillwatch/sensor/internal/dissect"
)

// Call is something that a client can ask of a device.
type Call struct {
	Name    string // of the call; in a table, a star at its end stands for anything
	Setting string // how the name of the setting begins that the call changes; "" for any
	Kind    dissect.ActionKind
	says    says
}

// says is what the answer to a call says of the device.
type says uint8

const (
	saysNothing says = iota
	saysDevice
	saysClass // the type in the answer is a class of device, not a model
)

// Changes reports whether the call changes the device.
func (c *Call) Changes() bool { return c.Kind != dissect.ActionRead && c.Kind != dissect.ActionView }

// Device returns what the answer says of the device, or nil. read is what was read of the answer.
func (c *Call) Device(read *dissect.DeviceInfo) *dissect.DeviceInfo {
	if c.says == saysNothing || read == nil {
		return nil
	}
	d := *read
	if c.says == saysClass {
		d.Class, d.Model = d.Model, ""
	}
	return &d
}

// find returns the first call of a table that fits a name and the name of a setting, or nil.
func find(table []Call, name, setting []byte) *Call {
	for i := range table {
		c := &table[i]
		prefix, open := strings.CutSuffix(c.Name, "*")
		if len(name) < len(prefix) || string(name[:len(prefix)]) != prefix || !open && len(name) > len(prefix) {
			continue
		}
		if len(setting) >= len(c.Setting) && string(setting[:len(c.Setting)]) == c.Setting {
			return c
		}
	}
	return nil
}

// rpcCall returns what a method of Dahua's JSON calls does, or nil.
func rpcCall(method, setting []byte) *Call {
	if len(method) == 0 {
		return nil
	}
	return find(rpcCalls, method, setting)
}

const setConfig = "configManager.setConfig"

// SettingKind returns the kind of a setting of Dahua by its name.
func SettingKind(name []byte) dissect.ActionKind { return find(rpcCalls, []byte(setConfig), name).Kind }

// rpcCalls are the methods of Dahua's JSON calls, as published clients call them (ItsNotGoodName/dahua-rpc, rroller/dahua, mcw0/DahuaConsole).
var rpcCalls = []Call{
	{setConfig, "Network", dissect.ActionNetwork, 0},
	{setConfig, "DDNS", dissect.ActionNetwork, 0},
	{setConfig, "UPnP", dissect.ActionNetwork, 0},
	{setConfig, "T2UServer", dissect.ActionNetwork, 0}, // access through the cloud of the vendor
	{setConfig, "AccessFilter", dissect.ActionNetwork, 0},
	{setConfig, "Telnet", dissect.ActionNetwork, 0},
	{setConfig, "SSHD", dissect.ActionNetwork, 0},
	{setConfig, "Web", dissect.ActionNetwork, 0},
	{setConfig, "RTSP", dissect.ActionNetwork, 0},
	{setConfig, "NTP", dissect.ActionTime, 0},
	{setConfig, "Locales", dissect.ActionTime, 0},
	{setConfig, "Encode", dissect.ActionVideo, 0},
	{setConfig, "Video", dissect.ActionVideo, 0}, // VideoColor, VideoIn…, VideoWidget
	{setConfig, "ChannelTitle", dissect.ActionVideo, 0},
	{setConfig, "Record", dissect.ActionVideo, 0},
	{setConfig, "PrivacyMasking", dissect.ActionVideo, 0},
	{setConfig, "LeLensMask", dissect.ActionVideo, 0},
	{setConfig, "", dissect.ActionConfiguration, 0},
	{"configManager.getConfig", "", dissect.ActionRead, 0},
	{"configManager.get*", "", dissect.ActionRead, 0},
	{"configManager.restore", "", dissect.ActionReset, 0},
	{"configManager.restore*", "", dissect.ActionReset, 0},
	{"configManager.deleteConfig", "", dissect.ActionConfiguration, 0},
	{"magicBox.getDeviceType", "", dissect.ActionRead, saysDevice},
	{"magicBox.getSerialNo", "", dissect.ActionRead, saysDevice},
	{"magicBox.getSoftwareVersion", "", dissect.ActionRead, saysDevice},
	{"magicBox.getSystemInfo", "", dissect.ActionRead, saysDevice},
	{"magicBox.getMachineName", "", dissect.ActionRead, saysDevice},
	{"magicBox.getDeviceClass", "", dissect.ActionRead, saysClass},
	{"magicBox.get*", "", dissect.ActionRead, 0},
	{"magicBox.reboot", "", dissect.ActionReboot, 0},
	{"magicBox.shutdown", "", dissect.ActionReboot, 0},
	{"magicBox.resetSystem*", "", dissect.ActionReset, 0},
	{"userManager.get*", "", dissect.ActionRead, 0},
	{"userManager.addUser", "", dissect.ActionUsers, 0},
	{"userManager.deleteUser", "", dissect.ActionUsers, 0},
	{"userManager.modifyUser", "", dissect.ActionUsers, 0},
	{"userManager.modifyPassword", "", dissect.ActionUsers, 0},
	{"userManager.*", "", dissect.ActionUsers, 0},
	{"Security.modifyPwdOutSession", "", dissect.ActionUsers, 0},
	{"DevInit.account", "", dissect.ActionUsers, 0},
	{"PasswdFind.resetPassword", "", dissect.ActionReset, 0},
	{"ptz.get*", "", dissect.ActionRead, 0},
	{"ptz.start", "", dissect.ActionMove, 0},
	{"ptz.stop", "", dissect.ActionMove, 0},
	{"ptz.*", "", dissect.ActionMove, 0},
	{"upgrader.get*", "", dissect.ActionRead, 0},
	{"upgrader.*", "", dissect.ActionUpgrade, 0},
	{"global.setCurrentTime", "", dissect.ActionTime, 0},
	{"mediaFileFind.*", "", dissect.ActionRead, 0},
	{"log.clear", "", dissect.ActionConfiguration, 0},
	{"log.*", "", dissect.ActionRead, 0},
	{"console.*", "", dissect.ActionConfiguration, 0}, // runs commands on the device
}
