// SPDX-License-Identifier: Apache-2.0

package announce

// enterprises has the names of vendors of devices by their private enterprise number (IANA, "Private Enterprise Numbers"). Vendors of software that runs on devices
// of others, such as Net-SNMP (8072) and Microsoft (311), are not in it.
var enterprises = map[uint32]string{
	2: "IBM", 9: "Cisco", 11: "HP", 43: "3Com", 45: "Nortel", 122: "Sony", 171: "D-Link", 207: "Allied Telesis", 236: "Samsung", 253: "Xerox", 318: "APC",
	367: "Ricoh", 368: "Axis", 476: "Vertiv", 534: "Eaton", 641: "Lexmark", 664: "ADTRAN", 674: "Dell", 890: "Zyxel", 1248: "Epson", 1347: "Kyocera", 1588: "Brocade",
	1602: "Canon", 1916: "Extreme Networks", 1991: "Foundry Networks", 2001: "OKI", 2011: "Huawei", 2385: "Sharp", 2435: "Brother", 2636: "Juniper", 3375: "F5",
	3902: "ZTE", 4196: "Siemens", 4329: "Siemens", 4526: "NETGEAR", 6527: "Nokia", 6574: "Synology", 6889: "Avaya", 8691: "Moxa", 8741: "SonicWall",
	10002: "Ubiquiti", 10642: "Zebra", 11863: "TP-Link", 12356: "Fortinet", 13885: "Polycom", 14179: "Cisco", 14823: "Aruba", 14988: "MikroTik",
	18334: "Konica Minolta", 19046: "Lenovo", 24681: "QNAP", 25053: "Ruckus", 25461: "Palo Alto Networks", 25506: "H3C", 30065: "Arista", 39165: "Hikvision",
	41112: "Ubiquiti", 47196: "Aruba", 55062: "QNAP", 1004849: "Dahua",
}

// Enterprise returns the vendor of devices with a private enterprise number, "" if it is not known.
func Enterprise(n uint32) string { return enterprises[n] }
