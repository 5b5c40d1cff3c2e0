// SPDX-License-Identifier: Apache-2.0

package dissecttest

// Messages of the logins of cameras: of Hikvision over HTTP, and of Dahua's JSON calls.
const (
	ISAPILogin    = `<?xml version="1.0"?><SessionLogin><userName>admin</userName><password>9f86d081884c7d659a2feaa0c55ad015</password></SessionLogin>`
	ISAPITarget   = "/ISAPI/Security/sessionLogin?timeStamp=1700000000"
	RPCFirstLogin = `{"method":"global.login","params":{"userName":"admin","password":"","clientType":"Web3.0"},"id":1}`
	RPCLogin      = `{"id":2,"session":"x","params":{"password":"9E44A9BF","userName":"admin"},"method":"global.login"}`
	RPCChallenge  = `{"error":{"code":268632079,"message":"Component error: login challenge!"},"id":1,"params":{"encryption":"Default","random":"12","realm":"Login to 3"},"result":false,"session":"x"}`
)
