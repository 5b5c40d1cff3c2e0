// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/database"
	"stillwatch/sensor/internal/dissect/directory"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/industrial"
	"stillwatch/sensor/internal/dissect/lan"
	"stillwatch/sensor/internal/dissect/lines"
	"stillwatch/sensor/internal/dissect/messaging"
	"stillwatch/sensor/internal/dissect/recognize"
	"stillwatch/sensor/internal/dissect/remote"
	"stillwatch/sensor/internal/dissect/ssh"
	"stillwatch/sensor/internal/dissect/tls"
	"stillwatch/sensor/internal/dissect/tunnel"
)

// streamProtocols lists the protocols over TCP and what recognizes them: index 0 by what a client sends first, index 1
// by what a server sends first. The first entry that does not answer No decides. An entry without a name covers several
// protocols, between which its dissector decides.
var streamProtocols = [2][]streamProtocol{
	dissect.FromClient: {
		streamOf("tls", tls.Looks, (*Conversation).newTLS),
		streamOf("http", http.LooksRequest, (*Conversation).newHTTP),
		stream("rtsp", http.LooksRTSPRequest, http.NewRTSP),
		stream("ssh", ssh.Looks, ssh.New),
		stream("telnet", remote.LooksTelnet, remote.NewTelnet),
		stream("smtp", lines.LooksSMTPClient, lines.NewSMTP),
		stream("ftp", lines.LooksFTPClient, lines.NewFTP),
		stream("sip", http.LooksSIPRequest, http.NewSIP),
		stream("mqtt", messaging.LooksMQTT, messaging.NewMQTT),
		stream("openvpn", tunnel.LooksOpenVPNStream, tunnel.NewOpenVPNStream),
		stream("smb", recognize.LooksSMB, lan.NewSMB),
		stream("postgresql", database.LooksPostgres, database.NewPostgres),
		stream("rdp", remote.LooksRDP, remote.NewRDP),
		stream("", tunnel.LooksSOCKS5, tunnel.NewSOCKS),
		stream("", tunnel.LooksSOCKS4, tunnel.NewSOCKS),
		stream("redis", database.LooksRedis, database.NewRedis),
		stream("ldap", directory.LooksLDAP, directory.NewLDAP),
		stream("dhip", camera.LooksDHIP, camera.NewDHIP),
		stream("dvrip", camera.LooksDVRIP, camera.NewDVRIP),
		stream("xmeye", camera.LooksXMEye, camera.NewXMEye),
		stream("baichuan", camera.LooksBaichuan, camera.NewBaichuan),
		stream("hcnet", camera.LooksHCNet, camera.NewHCNet),
		stream("kasa", camera.LooksKasaStream, camera.NewKasa),
		stream("dcerpc", lan.LooksDCERPC, lan.NewDCERPC),
		stream("adb", remote.LooksADB, remote.NewADB),
		stream("bittorrent", recognize.LooksBitTorrent, nil),
		stream("xmpp", messaging.LooksXMPP, messaging.NewXMPP),
		stream("irc", lines.LooksIRC, lines.NewIRC),
		stream("stratum", recognize.LooksStratum, recognize.NewStratum),
		stream("shell", recognize.LooksShell, nil),
		stream("zabbix", recognize.LooksZabbix, nil),
		stream("rsync", recognize.LooksRsync, nil),
		stream("pjl", recognize.LooksPJL, nil),
		stream("x11", recognize.LooksX11, nil),
		stream("git", recognize.LooksGit, nil),
		stream("pptp", recognize.LooksPPTP, nil),
		stream("kafka", recognize.LooksKafka, nil),
		stream("h323", recognize.LooksH323, nil),
		stream("ldp", recognize.LooksLDPStream, nil),
		stream("synchrophasor", industrial.LooksSynchrophasor, nil),
		stream("syslog", recognize.LooksSyslogStream, nil),
		stream("stun", recognize.LooksSTUNStream, nil),
		stream("modbus", recognize.LooksModbus, industrial.NewModbus),
		stream("dnp3", industrial.LooksDNP3, nil),
		stream("s7comm", industrial.LooksS7comm, industrial.NewS7comm),
		stream("s7comm-plus", industrial.LooksS7commPlus, nil),
		stream("enip", industrial.LooksENIP, industrial.NewENIP),
		stream("iec104", industrial.LooksIEC104, nil),
		stream("opcua", industrial.LooksOPCUA, nil),
		stream("knx", industrial.LooksKNX, nil),
		stream("fins", industrial.LooksFINS, nil),
		stream("bgp", recognize.LooksBGP, nil),
		stream("bitcoin", recognize.LooksBitcoin, nil),
		stream("amqp", messaging.LooksAMQP, nil),
		stream("mssql", database.LooksMSSQL, database.NewMSSQL),
		stream("oracle", database.LooksOracle, database.NewOracle),
		stream("nfs", recognize.LooksNFS, nil),
		stream("portmap", recognize.LooksPortmap, nil),
		stream("rpc", recognize.LooksRPC, nil),
		stream("memcached", database.LooksMemcached, nil),
		stream("winbox", remote.LooksWinbox, remote.NewWinbox),
		stream("hartip", industrial.LooksHARTIP, nil),
		stream("ge-srtp", industrial.LooksGESRTP, nil),
		stream("diameter", directory.LooksDiameter, nil),
		stream("kerberos", directory.LooksKerberosStream, nil),
		stream("dns", dns.LooksStream, dns.NewStream),
		stream("mongodb", database.LooksMongoDB, database.NewMongoDB),
		stream("rtmp", recognize.LooksRTMP, nil),
		stream("http", http.LooksSimple, nil),
	},
	dissect.FromServer: {
		streamOf("tls", tls.Looks, (*Conversation).newTLS),
		streamOf("http", http.LooksResponse, (*Conversation).newHTTP),
		stream("rtsp", http.LooksRTSPResponse, http.NewRTSP),
		stream("ssh", ssh.Looks, ssh.New),
		stream("telnet", remote.LooksTelnet, remote.NewTelnet),
		streamOf("", lines.LooksGreeting, (*Conversation).newGreeting), // FTP or SMTP
		stream("pop3", lines.LooksPOP3, lines.NewPOP3),
		stream("imap", lines.LooksIMAP, lines.NewIMAP),
		stream("vnc", remote.LooksVNC, remote.NewVNC),
		stream("sip", http.LooksSIPResponse, http.NewSIP),
		stream("mqtt", messaging.LooksMQTTServer, messaging.NewMQTT),
		stream("smb", recognize.LooksSMB, lan.NewSMB),
		stream("dhip", camera.LooksDHIP, camera.NewDHIP),
		stream("dvrip", camera.LooksDVRIP, camera.NewDVRIP),
		stream("xmeye", camera.LooksXMEye, camera.NewXMEye),
		stream("baichuan", camera.LooksBaichuan, camera.NewBaichuan),
		stream("adb", remote.LooksADB, remote.NewADB),
		stream("irc", lines.LooksIRCServer, lines.NewIRC),
		stream("mysql", database.LooksMySQL, database.NewMySQL),
		stream("dnp3", industrial.LooksDNP3, nil),
		stream("bgp", recognize.LooksBGP, nil),
		stream("amqp", messaging.LooksAMQP, nil),
		stream("munin", recognize.LooksMunin, nil),
		stream("rsync", recognize.LooksRsync, nil),
		stream("zabbix", recognize.LooksZabbix, nil),
		stream("dcerpc", lan.LooksDCERPC, lan.NewDCERPC),
		stream("synchrophasor", industrial.LooksSynchrophasor, nil),
		stream("nntp", lines.LooksNNTP, lines.NewNNTP),
		stream("stratum", recognize.LooksStratumServer, recognize.NewStratum),
		stream("dns", dns.LooksStream, dns.NewStream),
	},
}
