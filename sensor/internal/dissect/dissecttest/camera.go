// SPDX-License-Identifier: Apache-2.0

package dissecttest

import "fmt"

// Messages of the logins of cameras: of Hikvision over HTTP, and of Dahua's JSON calls.
const (
	ISAPILogin    = `<?xml version="1.0"?><SessionLogin><userName>admin</userName><password>9f86d081884c7d659a2feaa0c55ad015</password></SessionLogin>`
	ISAPITarget   = "/ISAPI/Security/sessionLogin?timeStamp=1700000000"
	RPCFirstLogin = `{"method":"global.login","params":{"userName":"admin","password":"","clientType":"Web3.0"},"id":1}`
	RPCLogin      = `{"id":2,"session":"x","params":{"password":"9E44A9BF","userName":"admin"},"method":"global.login"}`
	RPCChallenge  = `{"error":{"code":268632079,"message":"Component error: login challenge!"},"id":1,"params":{"encryption":"Default","random":"12","realm":"Login to 3"},"result":false,"session":"x"}`
)

// SADPMatch returns an answer of a Hikvision device to a search. Its MAC address is 02:00:5e:10:00:07, its address 192.0.2.7.
func SADPMatch(model, firmware string, analog, digital int) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<ProbeMatch><Uuid>0A0B0C0D-0000-4000-8000-000000000001</Uuid><Types>inquiry</Types><DeviceType>1</DeviceType><DeviceDescription>%[1]s</DeviceDescription>
<DeviceSN>%[1]s20230131AAWR012345678</DeviceSN><CommandPort>8000</CommandPort><HttpPort>80</HttpPort><MAC>02-00-5e-10-00-07</MAC>
<IPv4Address>192.0.2.7</IPv4Address><AnalogChannelNum>%[3]d</AnalogChannelNum><DigitalChannelNum>%[4]d</DigitalChannelNum>
<SoftwareVersion>%[2]s</SoftwareVersion><DSPVersion>V7.3 build 220101</DSPVersion><BootTime>2024-02-29 10:11:12</BootTime><Activated>true</Activated></ProbeMatch>`,
		model, firmware, analog, digital)
}

// NotifyDevInfo returns the JSON of an answer of a Dahua device to a search, with the addresses of SADPMatch.
func NotifyDevInfo(class, model, version string, analog, digital int) string {
	return fmt.Sprintf(`{"mac":"02:00:5e:10:00:07","method":"client.notifyDevInfo","params":{"deviceInfo":{"DeviceClass":"%s","DeviceType":"%s","HttpPort":80,`+
		`"IPv4Address":{"DefaultGateway":"192.0.2.1","DhcpEnable":false,"IPAddress":"192.0.2.7","SubnetMask":"255.255.255.0"},`+
		`"IPv6Address":{"DefaultGateway":"","IPAddress":"fe80::7\/64"},"Init":166,"MachineName":"Door","Port":37777,"RemoteVideoInputChannels":%d,`+
		`"SerialNo":"1A00123PAZ00001","Vendor":"General","Version":"%s","VideoInputChannels":%d}}}`, class, model, digital, version, analog)
}
