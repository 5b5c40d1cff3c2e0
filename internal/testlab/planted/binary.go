// SPDX-License-Identifier: Apache-2.0

package planted

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// binarySecrets are logins of binary protocols: MySQL, SQL Server (TDS) and NTLM over HTTP, SMB and SQL Server.
func binarySecrets(p *Secrets) map[string]exchange {
	const accepted = "<\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"
	refused := "<" + mysqlPacket(2, "\xff\x15\x04#28000Access denied")
	negotiate := ntlm(1, "")
	return map[string]exchange{
		"mysql native":           {3306, []string{"<" + mysqlGreeting(), mysqlLogin("mysql_native_password", p.New("mysql native")+"abcd"), accepted}},
		"mysql native, refused":  {3306, []string{"<" + mysqlGreeting(), mysqlLogin("mysql_native_password", p.New("mysql native, refused")+"abcd"), refused}},
		"mysql clear":            {3306, []string{"<" + mysqlGreeting(), mysqlLogin("mysql_clear_password", p.New("mysql clear")+"\x00"), accepted}},
		"mysql switched":         {3306, []string{"<" + mysqlGreeting(), mysqlLogin("caching_sha2_password", ""), "<" + mysqlPacket(2, "\xfemysql_clear_password\x00"), mysqlPacket(3, p.New("mysql switched")+"\x00"), accepted}},
		"sql server":             {1433, []string{tds(0x12, "\x00\x00\x06\x00\x06\xff\x10\x00\x00\x00\x00\x00"), "<" + tds(4, "\x01\x00\x06\x00\x01\xff\x02"), tds(0x10, login7("sa", p.New("sql server"))), "<" + tds(4, "\xad\x0a\x00\x01\x74\x00\x00\x04\x00\x00\x00\x00\x00")}},
		"sql server, no prelude": {1433, []string{tds(0x10, login7("sa", p.New("sql server, no prelude")))}},
		"ntlm over http": {80, []string{get("NTLM " + base64.StdEncoding.EncodeToString([]byte(negotiate))), said(401, "", "WWW-Authenticate: NTLM "+base64.StdEncoding.EncodeToString([]byte(ntlm(2, "")))),
			get("NTLM " + base64.StdEncoding.EncodeToString([]byte(ntlm(3, p.New("ntlm over http"))))), said(200, "ok")}},
		"ntlm over smb": {445, []string{smb2(1, negotiate), "<" + smb2(1, ntlm(2, "")), smb2(1, ntlm(3, p.New("ntlm over smb")))}},
	}
}

func mysqlPacket(number byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), 0, number}) + body
}

func mysqlGreeting() string {
	return mysqlPacket(0, "\x0a8.0.30\x00\x01\x00\x00\x0012345678\x00\xff\xff\x21\x02\x00\xff\xdf\x15"+strings.Repeat("\x00", 10)+"123456789012\x00mysql_native_password\x00")
}

// mysqlLogin is a HandshakeResponse41.
func mysqlLogin(method, proof string) string {
	return mysqlPacket(1, "\x00\x82\x08\x00\x00\x00\x00\x01\x21"+strings.Repeat("\x00", 23)+"ops\x00"+string([]byte{byte(len(proof))})+proof+method+"\x00")
}

// tds is a message of Tabular Data Stream in one packet.
func tds(kind byte, body string) string {
	return string([]byte{kind, 1, byte((len(body) + 8) >> 8), byte(len(body) + 8), 0, 0, 1, 0}) + body
}

// login7 is a LOGIN7 record (MS-TDS 2.2.6.4). Its password is obfuscated, not encrypted.
func login7(user, password string) string {
	const fixed = 94
	b := make([]byte, fixed)
	copy(b[4:], "\x04\x00\x00\x74\x00\x10\x00\x00")
	offset := uint16(fixed)
	var tail string
	for i, field := range []string{wide("desk"), wide(user), obfuscated(password), wide("app"), wide("db")} {
		binary.LittleEndian.PutUint16(b[36+4*i:], offset)
		binary.LittleEndian.PutUint16(b[38+4*i:], uint16(len(field)/2))
		tail += field
		offset += uint16(len(field))
	}
	binary.LittleEndian.PutUint32(b, uint32(fixed+len(tail)))
	return string(b) + tail
}

// wide is a text in UTF-16, little-endian.
func wide(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(c)
		b.WriteByte(0)
	}
	return b.String()
}

// obfuscated is a password in LOGIN7: UTF-16, the halves of each byte swapped, XOR 0xa5.
func obfuscated(s string) string {
	b := []byte(wide(s))
	for i, c := range b {
		b[i] = (c>>4 | c<<4) ^ 0xa5
	}
	return string(b)
}

// ntlm is a message of NTLMSSP. Of the third, the response of 24 bytes contains the secret.
func ntlm(kind byte, secret string) string {
	head := "NTLMSSP\x00" + string([]byte{kind, 0, 0, 0})
	switch kind {
	case 1:
		return head + "\x07\x82\x08\xa2" + strings.Repeat("\x00", 24)
	case 2:
		return head + "\x00\x00\x00\x00\x38\x00\x00\x00\x05\x82\x89\xa2abcdefgh" + strings.Repeat("\x00", 24)
	}
	const fixed = 72
	tail := ""
	for _, field := range []string{strings.Repeat("\x00", 24), secret + "12345678", wide("CORP"), wide("ops"), wide("DESK"), ""} {
		n, at := byte(len(field)), byte(fixed+len(tail))
		head += string([]byte{n, 0, n, 0, at, 0, 0, 0})
		tail += field
	}
	return head + "\x05\x82\x88\xa2" + strings.Repeat("\x00", 8) + tail
}

// smb2 is a message of SMB 2 with a security buffer: SESSION_SETUP if the command is 1.
func smb2(command byte, security string) string {
	head := "\xfeSMB\x40\x00\x01\x00\x00\x00\x00\x00" + string([]byte{command}) + strings.Repeat("\x00", 51)
	body := "\x19\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x58\x00" + string([]byte{byte(len(security)), 0}) + strings.Repeat("\x00", 8) + security
	n := len(head) + len(body)
	return string([]byte{0, 0, byte(n >> 8), byte(n)}) + head + body
}
