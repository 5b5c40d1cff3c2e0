// SPDX-License-Identifier: Apache-2.0

package dissect

// streamIdentifiers are the protocols over TCP, by whose bytes they are told: index 0 what a client sends first, index 1
// what a server sends first. The first entry that does not say no decides. An entry without name stands for several
// protocols, between which its dissector decides.
var streamIdentifiers = [2][]streamIdentifier{
	FromClient: {
		{"tls", looksTLS, func(Ports) streamDissector { return new(tlsStream) }},
		httpIdentifier,
		rtspIdentifier,
		{"ssh", looksSSH, func(Ports) streamDissector { return new(sshStream) }},
		{"telnet", looksTelnet, func(Ports) streamDissector { return new(telnetStream) }},
		{"smtp", looksSMTPClient, func(Ports) streamDissector { return &lineStream{proto: newSMTP()} }},
		{"ftp", looksFTPClient, func(Ports) streamDissector { return &lineStream{proto: newFTP()} }},
		{"sip", looksSIPRequest, nil},
		{"mqtt", looksMQTT, openMQTT},
		{"smb", looksSMB, nil},
		{"postgresql", looksPostgres, openPostgres},
		{"rdp", looksRDP, openRDP},
		{"", looksSOCKS5, func(Ports) streamDissector { return new(socksStream) }},
		{"", looksSOCKS4, func(Ports) streamDissector { return new(socksStream) }},
		{"redis", looksRedis, openRedis},
		{"ldap", looksLDAP, func(Ports) streamDissector { return new(ldapStream) }},
		{"dhip", looksDHIP, nil},
		{"dvrip", looksDVRIP, nil},
		{"xmeye", looksXMEye, nil},
		{"baichuan", looksBaichuan, nil},
		{"adb", looksADB, func(Ports) streamDissector { return new(adbStream) }},
		{"bittorrent", looksBitTorrent, nil},
		{"xmpp", looksXMPP, func(Ports) streamDissector { return new(xmppStream) }},
		{"irc", looksIRC, openIRC},
		{"stratum", looksStratum, nil},
		{"syslog", looksSyslogStream, nil},
		{"stun", looksSTUNStream, nil},
		{"modbus", looksModbus, nil},
		{"kerberos", looksKerberosStream, nil},
		{"dns", looksDNSStream, func(Ports) streamDissector { return new(dnsStream) }},
		{"mongodb", looksMongoDB, nil},
		{"http", looksSimpleHTTP, nil},
	},
	FromServer: {
		{"tls", looksTLS, func(Ports) streamDissector { return new(tlsStream) }},
		{"http", looksHTTPResponse, httpIdentifier.open},
		{"rtsp", looksRTSPResponse, rtspIdentifier.open},
		{"ssh", looksSSH, func(Ports) streamDissector { return new(sshStream) }},
		{"telnet", looksTelnet, func(Ports) streamDissector { return new(telnetStream) }},
		{"", looksGreeting, func(p Ports) streamDissector { return &lineStream{proto: &greeting{ports: p}} }}, // FTP or SMTP
		{"pop3", looksPOP3, func(Ports) streamDissector { return &lineStream{proto: newPOP3()} }},
		{"imap", looksIMAP, func(Ports) streamDissector { return &lineStream{proto: newIMAP()} }},
		{"vnc", looksVNC, nil},
		{"sip", looksSIPResponse, nil},
		{"mqtt", looksMQTTServer, openMQTT},
		{"smb", looksSMB, nil},
		{"dhip", looksDHIP, nil},
		{"dvrip", looksDVRIP, nil},
		{"xmeye", looksXMEye, nil},
		{"baichuan", looksBaichuan, nil},
		{"adb", looksADB, func(Ports) streamDissector { return new(adbStream) }},
		{"irc", looksIRCServer, openIRC},
		{"mysql", looksMySQL, func(Ports) streamDissector { return new(mysqlStream) }},
		{"nntp", looksNNTP, openNNTP},
		{"dns", looksDNSStream, func(Ports) streamDissector { return new(dnsStream) }},
	},
}

// looksTLS waits for a record header and the head of a handshake message, or for the sums of an SSL 2.0 hello, with which
// tlsLooks is sure.
func looksTLS(head []byte, final bool, _ Ports) verdict {
	sure := 9
	if head[0]&0x80 != 0 {
		sure = 13
	}
	switch {
	case len(head) >= sure:
		if tlsLooks(head) {
			return yes
		}
		return no
	case sure == 13:
		if len(head) < 3 || head[2] == ssl2ClientHello || head[2] == ssl2ServerHello {
			return maybe
		}
		return no
	case head[0] < tlsChangeCipherSpec || head[0] > tlsHeartbeat || len(head) >= 3 && !tlsLooks(head):
		return no
	case final && len(head) >= tlsRecordHead:
		return yes
	}
	return maybe
}

func looksSSH(head []byte, _ bool, _ Ports) verdict { return startsWith(head, "SSH-") }
