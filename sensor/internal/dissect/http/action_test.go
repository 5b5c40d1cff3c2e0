// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

// ask is a request without a body.
func ask(line string, fields ...string) turn { return client(request(line+" HTTP/1.1", fields...)) }

// put is post with another method.
func put(target, body string) turn {
	return client(request("PUT "+target+" HTTP/1.1", "Content-Type: application/xml", fmt.Sprint("Content-Length: ", len(body))) + body)
}

// envelope is a SOAP 1.2 message with a user name token, and soap posts one.
func envelope(body string) string {
	return `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><s:Header><wsse:Security><wsse:UsernameToken><wsse:Username>admin</wsse:Username>` +
		`<wsse:Password Type="x#PasswordDigest">x</wsse:Password></wsse:UsernameToken></wsse:Security></s:Header><s:Body xmlns:xsi="x">` + body + `</s:Body></s:Envelope>`
}

func soap(body string) turn {
	return post("/onvif/device_service", envelope(body), "Content-Type: application/soap+xml")
}

// operation is an operation of ONVIF that declares its own namespace.
func operation(service, name string) string {
	return fmt.Sprintf(`<%s xmlns="http://www.onvif.org/%s/wsdl"><Token>1</Token></%s>`, name, service, name)
}

const (
	basicAdmin = "Authorization: Basic YWRtaW46eA=="
	soapFault  = `<s:Envelope><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault></s:Body></s:Envelope>`
	jsonType   = "Content-Type: application/json"
	formType   = "Content-Type: application/x-www-form-urlencoded"
)

// actionsOf are the actions among facts, one a line: protocol, action, kind, result, hint.
func actionsOf(facts []dissect.Fact) (lines []string) {
	for _, a := range dissecttest.FactsOf[dissect.DeviceAction](facts) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s, %s: %s %s %s", a.Protocol, a.Action, a.Kind, a.Result, a.UserHint)))
	}
	return lines
}

// TestActionOfRequest checks a request that succeeds, by its action.
func TestActionOfRequest(t *testing.T) {
	for want, q := range map[string]turn{
		"isapi, PUT /ISAPI/System/reboot: reboot":                               put("/ISAPI/System/reboot", ""),
		"isapi, PUT /ISAPI/PTZCtrl/**: move":                                    put("/ISAPI/PTZCtrl/channels/1/continuous", "<PTZData><pan>10</pan></PTZData>"),
		"isapi, PUT /ISAPI/System/factoryReset: reset":                          put("/isapi/system/factoryReset/?mode=full", ""),
		"isapi, POST /ISAPI/Security/users**: users":                            post("/ISAPI/Security/users", "<User><userName>x</userName></User>"),
		"isapi, DELETE /ISAPI/Security/users**: users":                          ask("DELETE /ISAPI/Security/users/2"),
		"isapi, PUT /ISAPI/System/Network/**: network":                          put("/ISAPI/System/Network/interfaces/1/ipAddress", "<IPAddress/>"),
		"isapi, POST /ISAPI/System/updateFirmware**: upgrade":                   post("/ISAPI/System/updateFirmware?type=main", "x"),
		"isapi, PUT /ISAPI/System/time**: time":                                 put("/ISAPI/System/time/ntpServers/1", ""),
		"isapi, PUT /ISAPI/Streaming/**: video":                                 put("/ISAPI/Streaming/channels/101", ""),
		"isapi, PUT /ISAPI/**: configuration":                                   put("/ISAPI/Smart/FieldDetection/1", ""),
		"isapi, GET /ISAPI/Streaming/channels/*/picture: view":                  ask("GET /ISAPI/Streaming/channels/101/picture"),
		"isapi, GET /ISAPI/**: read":                                            ask("GET /ISAPI/System/capabilities"),
		"isapi, PUT /PSIA/System/reboot: reboot":                                put("/PSIA/System/reboot", ""),
		"dahua_cgi, /cgi-bin/ptz.cgi?action=start&code: move":                   ask("GET /cgi-bin/ptz.cgi?action=start&channel=0&code=Up&arg1=0&arg2=1&arg3=0"),
		"dahua_cgi, /cgi-bin/magicBox.cgi?action=reboot: reboot":                ask("GET /cgi-bin/%6dagicBox.cgi?action=re%62oot"),
		"dahua_cgi, /cgi-bin/configManager.cgi?action=setConfig: network":       ask("GET /cgi-bin/configManager.cgi?action=setConfig&Network.eth0.IPAddress=10.0.0.9"),
		"dahua_cgi, /cgi-bin/configManager.cgi?action=setConfig: video":         post("/cgi-bin/configManager.cgi?action=setConfig", "Encode[0].MainFormat[0].Video.FPS=1", formType),
		"dahua_cgi, /cgi-bin/configManager.cgi?action=setConfig: time":          post("/cgi-bin/configManager.cgi", "NTP.Address=x&action=setConfig", formType),
		"dahua_cgi, /cgi-bin/configManager.cgi?action=setConfig: configuration": ask("GET /cgi-bin/configManager.cgi?action=setConfig&Alarm[0].Enable=true"),
		"dahua_cgi, /cgi-bin/userManager.cgi?action=addUser: users":             ask("GET /cgi-bin/userManager.cgi?action=addUser&user.Name=x&user.Password=y"),
		"dahua_cgi, /cgi-bin/userManager.cgi?action=modifyPassword*: users":     ask("GET /cgi-bin/userManager.cgi?action=modifyPassword&name=x&pwd=y&pwdOld=z"),
		"vapix, /axis-cgi/com/ptz.cgi: move":                                    ask("GET /axis-cgi/com/ptz.cgi?move=left"),
		"vapix, /axis-cgi/com/ptz.cgi?query: read":                              ask("GET /axis-cgi/com/ptz.cgi?query=position"),
		"vapix, /axis-cgi/param.cgi?action=update: network":                     ask("GET /axis-cgi/admin/param.cgi?action=update&root.Network.IPAddress=10.0.0.9"),
		"vapix, /axis-cgi/param.cgi?action=update: video":                       post("/axis-cgi/param.cgi", "action=update&Image.I0.Appearance.Rotation=180", formType),
		"vapix, /axis-cgi/restart.cgi: reboot":                                  ask("GET /axis-cgi/restart.cgi"),
		"vapix, /axis-cgi/hardfactorydefault.cgi: reset":                        ask("GET /axis-cgi/hardfactorydefault.cgi"),
		"vapix, /axis-cgi/pwdgrp.cgi: users":                                    ask("GET /axis-cgi/pwdgrp.cgi?action=add&user=x&pwd=y&grp=users&sgrp=admin"),
		"vapix, /axis-cgi/firmwaremanagement.cgi#factoryDefault: reset":         post("/axis-cgi/firmwaremanagement.cgi", `{"apiVersion":"1.0","method":"factoryDefault","params":{"factoryDefaultMode":"hard"}}`, jsonType),
		"vapix, /axis-cgi/firmwaremanagement.cgi#status: read":                  post("/axis-cgi/firmwaremanagement.cgi", `{"apiVersion":"1.0","method":"status"}`, jsonType),
		"vapix, /axis-cgi/firmwaremanagement.cgi: upgrade":                      post("/axis-cgi/firmwaremanagement.cgi", "--x", "Content-Type: multipart/form-data; boundary=x"),
		"vapix, GET /axis-cgi/mjpg/**: view":                                    ask("GET /axis-cgi/mjpg/video.cgi?resolution=640x480"),
		"onvif, device/SystemReboot: reboot in":                                 soap("<tds:SystemReboot/>"),
		"onvif, device/SetUser: users in":                                       soap("<tds:SetUser><tds:User><tt:Username>x</tt:Username></tds:User></tds:SetUser>"),
		"onvif, ptz/ContinuousMove: move in":                                    soap(operation("ver20/ptz", "ContinuousMove")),
		"onvif, media/SetVideoEncoderConfiguration: video in":                   soap(operation("ver10/media", "SetVideoEncoderConfiguration")),
		"onvif, media/GetStreamUri: view in":                                    soap(operation("ver20/media", "GetStreamUri")),
		"onvif, imaging/*: video in":                                            soap(operation("ver20/imaging", "SetImagingSettings")),
		"onvif, recording/*: video in":                                          soap(operation("ver10/recording", "DeleteRecording")),
		"onvif, */Get*: read in":                                                soap("<!-- a --> <tds:GetUsers />"),
		"onvif, device/SetSystemFactoryDefault: reset":                          post("/onvif/device_service", "x", `Content-Type: application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver10/device/wsdl/SetSystemFactoryDefault"`),
		"onvif, device/StartFirmwareUpgrade: upgrade":                           post("/onvif/device_service", zipped("<a/>"), "Content-Encoding: gzip", `SOAPAction: "http://www.onvif.org/ver10/device/wsdl/StartFirmwareUpgrade"`),
		"onvif, device/SetSystemDateAndTime: time":                              post("/x", `<Envelope><Body><SetSystemDateAndTime xmlns='http://www.onvif.org/ver10/device/wsdl'/></Body></Envelope>`, `SOAPAction: "http://www.onvif.org/ver10/device/wsdl/GetUsers"`),
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{q, answer(200, "OK")})
		i := strings.LastIndexByte(want, ':')
		kind, hint, _ := strings.Cut(want[i+2:], " ")
		if got := actionsOf(facts); !slices.Equal(got, []string{strings.TrimSpace(want[:i+2] + kind + " success " + hint)}) {
			t.Errorf("want %s\n%s", want, dissecttest.Dump(facts))
		}
	}
}

// TestNoAction plays requests that resemble those to a camera.
func TestNoAction(t *testing.T) {
	for _, q := range []turn{
		ask("GET /"), ask("GET /cgi-bin/ptz.cgi"), ask("GET /cgi-bin/ptz.cgi?action=start"), ask("GET /cgi-bin/ptz.cgi?xaction=start&code=Up"), ask("POST /cgi-bin/users.cgi?action=addUser"), ask("GET /cgi-bin/magicBox.cgi"),
		ask("GET /cgi-bin/test.cgi?action=reboot"), ask("GET /cgi-bin/sub/magicBox.cgi?action=reboot"), ask("GET /x/cgi-bin/magicBox.cgi?action=reboot"), ask("GET /cgi-bin/"), ask("GET /cgi-bin/snapshot.cgi"), ask("GET /reboot?path=/ISAPI/System/reboot"),
		ask("GET /axis-cgi"), ask("GET /isapi"), ask("GET /ISAPI"), ask("POST /RPC2"), post("/RPC2", `{"method":"global.keepAlive"}`, jsonType), post("/RPC2", `{"params":{"method":"magicBox.reboot"}}`, jsonType), post("/api", `{"method":"magicBox.reboot"}`, jsonType),
		post("/RPC2", `<methodCall><methodName>system.reboot</methodName></methodCall>`, "Content-Type: text/xml"), post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), post("/RPC2_Login", dissecttest.RPCLogin),
		post("/ws", `<s:Envelope><s:Body><Reboot xmlns="http://example.org/ver10/device/wsdl"/></s:Body></s:Envelope>`, "Content-Type: text/xml"), post("/ws", `<s:Envelope><s:Body><tds:SystemReboot/></s:Body></s:Envelope>`, "Content-Type: text/xml"),
		post("/ws", "<a/>", "SOAPAction: http://example.org/SystemReboot"), post("/ws", `<Envelope xmlns:tds="http://www.onvif.org/ver10/device/wsdl"><Body></Body></Envelope>`, "Content-Type: text/xml"),
		post("/cgi-bin/x.cgi", "action=reboot", formType), ask("GET http://10.0.0.1/ISAPI/System/reboot"),
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{q, answer(200, "OK")})
		if got := actionsOf(facts); len(got) != 0 || len(dissecttest.FactsOf[dissect.DeviceInfo](facts)) != 0 {
			t.Errorf("%q: %q", q.Data, got)
		}
	}
}

func TestActionResults(t *testing.T) {
	reboot := put("/ISAPI/System/reboot", "")
	const name = "isapi, PUT /ISAPI/System/reboot: reboot "
	rpc := func(method string) turn {
		return post("/RPC2", `{"method":"`+method+`","params":{"name":"Encode","password":"x"},"id":9,"session":"a"}`)
	}
	for what, tc := range map[string]struct {
		turns []turn
		want  []string
	}{
		"refused, then done":        {[]turn{ask("PUT /ISAPI/System/reboot"), answer(401, "", "WWW-Authenticate: Basic realm=x"), ask("PUT /ISAPI/System/reboot", basicAdmin), answer(200, "")}, []string{name + "failure", name + "success in"}},
		"no right":                  {[]turn{reboot, answer(403, "")}, []string{name + "failure"}},
		"not there":                 {[]turn{reboot, answer(404, "")}, []string{name + "unknown"}},
		"no answer":                 {[]turn{reboot}, []string{name + "unknown"}},
		"no answer to the second":   {[]turn{reboot, answer(200, ""), reboot}, []string{name + "success", name + "unknown"}},
		"pipelined":                 {[]turn{reboot, ask("GET /"), reboot, answer(200, ""), answer(200, ""), answer(403, "")}, []string{name + "success", name + "failure"}},
		"the answer is seen first":  {[]turn{answer(200, ""), reboot}, []string{name + "success"}},
		"after an answer until end": {[]turn{ask("GET /"), server("HTTP/1.0 200 OK\r\n\r\n<a/>"), reboot}, []string{name + "unknown"}},
		"soap: a fault":             {[]turn{soap("<tds:SystemReboot/>"), answer(500, soapFault)}, []string{"onvif, device/SystemReboot: reboot failure in"}},
		"soap: a fault with 200":    {[]turn{soap("<tds:SystemReboot/>"), answer(200, soapFault)}, []string{"onvif, device/SystemReboot: reboot failure in"}},
		"soap: an error":            {[]turn{soap("<tds:SystemReboot/>"), answer(500, "<html>")}, []string{"onvif, device/SystemReboot: reboot unknown in"}},
		"soap: the fault is first":  {[]turn{answer(200, soapFault), soap("<tds:SystemReboot/>")}, []string{"onvif, device/SystemReboot: reboot failure in"}},
		"rpc2: done":                {[]turn{rpc("configManager.setConfig"), answer(200, `{"id":9,"params":{"code":1},"result":true}`)}, []string{"rpc2, configManager.setConfig: video success"}},
		"rpc2: as a form":           {[]turn{post("/RPC2", `{"method":"ptz.start","id":1}`, formType), answer(200, `{"id":1,"result":true}`)}, []string{"rpc2, ptz.start: move success"}},
		"rpc2: refused":             {[]turn{rpc("userManager.addUser"), answer(200, `{"error":{"code":268894211},"id":9,"result":false}`)}, []string{"rpc2, userManager.addUser: users failure"}},
		"rpc2: no result":           {[]turn{rpc("magicBox.reboot"), answer(200, "")}, []string{"rpc2, magicBox.reboot: reboot unknown"}},
		"vapix: an error with 200":  {[]turn{ask("GET /axis-cgi/param.cgi?action=update&Network.x=1", basicAdmin), answer(200, "# Error: Error setting 'root.Network.x' to '1'!")}, []string{"vapix, /axis-cgi/param.cgi?action=update: network failure in"}},
		"dahua: an error":           {[]turn{ask("GET /cgi-bin/magicBox.cgi?action=reboot"), answer(400, "Error\r\nBad Request!\r\n")}, []string{"dahua_cgi, /cgi-bin/magicBox.cgi?action=reboot: reboot failure"}},
	} {
		t.Run(what, func(t *testing.T) {
			if got := actionsOf(dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns)); !slices.Equal(got, tc.want) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestDeviceInfoOverHTTP(t *testing.T) {
	const isapiInfo = `<?xml version="1.0"?><DeviceInfo version="2.0" xmlns="http://www.hikvision.com/ver20/XMLSchema"><deviceName>Gate</deviceName><deviceID>1</deviceID><model>DS-2CD0</model><serialNumber>DS-2CD0202001</serialNumber>` +
		`<macAddress>c0:56:e3:00:00:01</macAddress><firmwareVersion>V5.5.0</firmwareVersion><firmwareReleasedDate>build 170725</firmwareReleasedDate><deviceType>IPCamera</deviceType></DeviceInfo>`
	for name, tc := range map[string]struct {
		ask  turn
		body string
		want dissect.DeviceInfo
	}{
		"isapi": {ask("GET /ISAPI/System/deviceInfo"), isapiInfo, dissect.DeviceInfo{Protocol: "isapi", Vendor: "Hikvision", Model: "DS-2CD0", Serial: "DS-2CD0202001", Name: "Gate", Class: "IPCamera", Firmware: "V5.5.0", FirmwareDate: "2017-07-25", MAC: [6]byte{0xc0, 0x56, 0xe3, 0, 0, 1}}},
		"psia":  {ask("GET /PSIA/System/deviceInfo"), `<DeviceInfo><model>X</model></DeviceInfo>`, dissect.DeviceInfo{Protocol: "isapi", Model: "X"}},
		"onvif": {soap("<tds:GetDeviceInformation/>"), envelope("<tds:GetDeviceInformationResponse><tds:Manufacturer>ACME</tds:Manufacturer><tds:Model>C1</tds:Model><tds:FirmwareVersion>1.2</tds:FirmwareVersion><tds:SerialNumber>77</tds:SerialNumber></tds:GetDeviceInformationResponse>"),
			dissect.DeviceInfo{Protocol: "onvif", Vendor: "ACME", Model: "C1", Firmware: "1.2", Serial: "77"}},
		"dahua, type":     {ask("GET /cgi-bin/magicBox.cgi?action=getDeviceType"), "type=IPC-HX1\r\n", dissect.DeviceInfo{Protocol: "dahua_cgi", Vendor: "Dahua", Model: "IPC-HX1"}},
		"dahua, class":    {ask("GET /cgi-bin/magicBox.cgi?action=getDeviceClass"), "class=NVR", dissect.DeviceInfo{Protocol: "dahua_cgi", Vendor: "Dahua", Class: "NVR"}},
		"dahua, firmware": {ask("GET /cgi-bin/magicBox.cgi?action=getSoftwareVersion"), "version=2.420.R, build: 2015-10-10\r\n", dissect.DeviceInfo{Protocol: "dahua_cgi", Vendor: "Dahua", Firmware: "2.420.R", FirmwareDate: "2015-10-10"}},
		"dahua, system":   {ask("GET /cgi-bin/magicBox.cgi?action=getSystemInfo"), "deviceType=31\r\nprocessor=x\r\nserialNumber=1A2B\r\nupdateSerial=IPC-HX1\r\n", dissect.DeviceInfo{Protocol: "dahua_cgi", Vendor: "Dahua", Model: "IPC-HX1", Serial: "1A2B"}},
		"rpc2":            {post("/RPC2", `{"method":"magicBox.getSerialNo","id":4}`, jsonType), `{"id":4,"params":{"sn":"1A2B"},"result":true}`, dissect.DeviceInfo{Protocol: "rpc2", Vendor: "Dahua", Serial: "1A2B"}},
		"axis": {ask("GET /axis-cgi/param.cgi?action=list&group=root.Brand,root.Properties"), "root.Brand.Brand=AXIS\nroot.Brand.ProdFullName=AXIS M1 Network Camera\nroot.Brand.ProdNbr=M1\nroot.Brand.ProdType=Network Camera\nroot.Properties.API.HTTP.Version=3\n" +
			"root.Properties.Firmware.BuildDate=Mar 22 2018 10:14\nroot.Properties.Firmware.Version=6.50.1\nroot.Properties.System.SerialNumber=ACCC8E000001\nroot.Network.eth0.MACAddress=AC:CC:8E:00:00:01\n",
			dissect.DeviceInfo{Protocol: "vapix", Vendor: "AXIS", Model: "M1", Class: "Network Camera", Firmware: "6.50.1", FirmwareDate: "2018-03-22", Serial: "ACCC8E000001", MAC: [6]byte{0xac, 0xcc, 0x8e, 0, 0, 1}}},
		"axis, json": {post("/axis-cgi/basicdeviceinfo.cgi", `{"apiVersion":"1.0","method":"getAllProperties"}`, jsonType), `{"apiVersion":"1.0","data":{"propertyList":{"Brand":"AXIS","ProdFullName":"AXIS M1","SerialNumber":"ACCC8E000001","Version":"9.80.1","BuildDate":"Feb 05 2020 10:00"}}}`,
			dissect.DeviceInfo{Protocol: "vapix", Vendor: "AXIS", Model: "AXIS M1", Firmware: "9.80.1", FirmwareDate: "2020-02-05", Serial: "ACCC8E000001"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, turns := range [][]turn{{tc.ask, answer(200, tc.body)}, {answer(200, tc.body), tc.ask}} {
				facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, turns)
				if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(got) != 1 || got[0] != tc.want {
					t.Errorf("got  %+v\nwant %+v", got, tc.want)
				}
			}
			for _, turns := range [][]turn{{tc.ask, answer(401, tc.body)}, {ask("GET /"), answer(200, tc.body)}, {ask("GET /ISAPI/System/status"), answer(200, tc.body)}} {
				if got := dissecttest.FactsOf[dissect.DeviceInfo](dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, turns)); len(got) != 0 {
					t.Errorf("%s: %+v", turns[0].Data, got)
				}
			}
		})
	}
}

// TestAccountsAreNoLogin checks that a request that changes an account is not taken for a login with the new password.
func TestAccountsAreNoLogin(t *testing.T) {
	for _, q := range []turn{ask("GET /axis-cgi/pwdgrp.cgi?action=add&user=x&pwd=y"), ask("GET /cgi-bin/userManager.cgi?action=modifyPassword&name=x&pwd=y"), post("/RPC2", `{"method":"userManager.addUser","params":{"user":{"name":"x","password":"y"}}}`, jsonType)} {
		for _, e := range dissecttest.FactsOf[dissect.HTTPExchange](dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{q, answer(401, "")})) {
			if e.AuthScheme != "" || e.AuthResult != dissect.OutcomeUnknown {
				t.Errorf("%+v", e)
			}
		}
	}
}

func FuzzActions(f *testing.F) {
	dissecttest.FuzzStream(f, http.New, []turn{soap("<tds:SystemReboot/>"), answer(200, soapFault)}, []turn{ask("GET /cgi-bin/magicBox.cgi?action=getDeviceType"), answer(200, "type=IPC-HX1\r\n")},
		[]turn{post("/axis-cgi/firmwaremanagement.cgi", `{"method":"reboot"}`, jsonType), answer(200, `{"error":{"code":1}}`)}, []turn{post("/RPC2", `{"method":"magicBox.reboot","id":4}`, jsonType), answer(200, `{"result":true}`)})
}
