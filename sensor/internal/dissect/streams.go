// SPDX-License-Identifier: Apache-2.0

package dissect

// streamIdentifiers are the protocols over TCP, by whose bytes they are told: index 0 what a client sends first, index 1
// what a server sends first. The first entry that does not say no decides. An entry without name stands for several
// protocols, between which its dissector decides.
var streamIdentifiers = [2][]streamIdentifier{
	FromClient: {
		{AppID{"tls"}, looksTLS, openTLS},
		httpIdentifier,
		rtspIdentifier,
		{AppID{"ssh"}, looksSSH, func(*Conversation) streamDissector { return new(sshStream) }},
		{AppID{"telnet"}, looksTelnet, func(*Conversation) streamDissector { return new(telnetStream) }},
		{AppID{"smtp"}, looksSMTPClient, func(*Conversation) streamDissector { return &lineStream{proto: newSMTP()} }},
		{AppID{"ftp"}, looksFTPClient, func(*Conversation) streamDissector { return &lineStream{proto: newFTP()} }},
		{AppID{"sip"}, looksSIPRequest, nil},
		{AppID{"mqtt"}, looksMQTT, openMQTT},
		{AppID{"openvpn"}, looksOpenVPNStream, func(*Conversation) streamDissector { return new(openVPNStream) }},
		{AppID{"smb"}, looksSMB, nil},
		{AppID{"postgresql"}, looksPostgres, openPostgres},
		{AppID{"rdp"}, looksRDP, openRDP},
		{AppID{""}, looksSOCKS5, func(*Conversation) streamDissector { return new(socksStream) }},
		{AppID{""}, looksSOCKS4, func(*Conversation) streamDissector { return new(socksStream) }},
		{AppID{"redis"}, looksRedis, openRedis},
		{AppID{"ldap"}, looksLDAP, func(*Conversation) streamDissector { return new(ldapStream) }},
		{AppID{"dhip"}, looksDHIP, openDHIP},
		{AppID{"dvrip"}, looksDVRIP, openDVRIP},
		{AppID{"xmeye"}, looksXMEye, openXMEye},
		{AppID{"baichuan"}, looksBaichuan, nil},
		{AppID{"adb"}, looksADB, func(*Conversation) streamDissector { return new(adbStream) }},
		{AppID{"bittorrent"}, looksBitTorrent, nil},
		{AppID{"xmpp"}, looksXMPP, func(*Conversation) streamDissector { return new(xmppStream) }},
		{AppID{"irc"}, looksIRC, openIRC},
		{AppID{"stratum"}, looksStratum, nil},
		{AppID{"syslog"}, looksSyslogStream, nil},
		{AppID{"stun"}, looksSTUNStream, nil},
		{AppID{"modbus"}, looksModbus, nil},
		{AppID{"kerberos"}, looksKerberosStream, nil},
		{AppID{"dns"}, looksDNSStream, func(*Conversation) streamDissector { return new(dnsStream) }},
		{AppID{"mongodb"}, looksMongoDB, nil},
		{AppID{"http"}, looksSimpleHTTP, nil},
	},
	FromServer: {
		{AppID{"tls"}, looksTLS, openTLS},
		{AppID{"http"}, looksHTTPResponse, httpIdentifier.open},
		{AppID{"rtsp"}, looksRTSPResponse, rtspIdentifier.open},
		{AppID{"ssh"}, looksSSH, func(*Conversation) streamDissector { return new(sshStream) }},
		{AppID{"telnet"}, looksTelnet, func(*Conversation) streamDissector { return new(telnetStream) }},
		{AppID{""}, looksGreeting, func(c *Conversation) streamDissector { return &lineStream{proto: &greeting{ports: c.ports}} }}, // FTP or SMTP
		{AppID{"pop3"}, looksPOP3, func(*Conversation) streamDissector { return &lineStream{proto: newPOP3()} }},
		{AppID{"imap"}, looksIMAP, func(*Conversation) streamDissector { return &lineStream{proto: newIMAP()} }},
		{AppID{"vnc"}, looksVNC, nil},
		{AppID{"sip"}, looksSIPResponse, nil},
		{AppID{"mqtt"}, looksMQTTServer, openMQTT},
		{AppID{"smb"}, looksSMB, nil},
		{AppID{"dhip"}, looksDHIP, openDHIP},
		{AppID{"dvrip"}, looksDVRIP, openDVRIP},
		{AppID{"xmeye"}, looksXMEye, openXMEye},
		{AppID{"baichuan"}, looksBaichuan, nil},
		{AppID{"adb"}, looksADB, func(*Conversation) streamDissector { return new(adbStream) }},
		{AppID{"irc"}, looksIRCServer, openIRC},
		{AppID{"mysql"}, looksMySQL, openMySQL},
		{AppID{"nntp"}, looksNNTP, openNNTP},
		{AppID{"dns"}, looksDNSStream, func(*Conversation) streamDissector { return new(dnsStream) }},
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
	case head[0] == telnetIAC:
		return no // no hello of SSL 2.0 is that long, and "IAC WILL ECHO" would be taken for the beginning of one
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
