// SPDX-License-Identifier: Apache-2.0

package enrich

import "strings"

// Maker is who stands behind a MAC. Name is the short name by which people know a brand, else the owner's full name.
type Maker struct {
	Name  string
	Owner string // as registered with the IEEE
	Kind  VendorKind
}

// Vendor gives the name and kind of the maker of the device or chip behind mac; "" and VendorUnknown if there is none. An owner
// that is in no list of ours has its full name and VendorUnknown.
func Vendor(mac [6]byte) (name string, kind VendorKind) {
	m := MakerOf(mac)
	return m.Name, m.Kind
}

// MakerOf gives all that is known of the maker behind mac.
func MakerOf(mac [6]byte) Maker {
	owner := Owner(mac)
	if owner == "" {
		return Maker{}
	}
	s := Squeeze(owner)
	for _, m := range makers {
		if strings.HasPrefix(s, m.prefix) {
			return Maker{m.name, owner, m.kind}
		}
	}
	return Maker{Name: owner, Owner: owner}
}

// Squeeze keeps the letters and digits of an ASCII name, in lower case, so that spellings can be compared.
func Squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}

// makers maps the squeezed beginning of an owner's name to a brand; the first match counts.
var makers = []struct {
	prefix, name string
	kind         VendorKind
}{
	// Cameras, recorders, door stations.
	{"hangzhouhikvision", "Hikvision", VendorBrand}, {"pramahikvision", "Hikvision", VendorBrand},
	{"hangzhouezviz", "EZVIZ", VendorBrand},
	{"zhejiangdahua", "Dahua", VendorBrand}, {"hangzhouhuachengnetwork", "Imou", VendorBrand},
	{"amcrest", "Amcrest", VendorBrand}, {"lorextech", "Lorex", VendorBrand},
	{"axiscommunications", "Axis", VendorBrand}, {"vivotek", "Vivotek", VendorBrand},
	{"zhejianguniview", "Uniview", VendorBrand}, {"hanwhavision", "Hanwha", VendorBrand},
	{"samsungtechwin", "Hanwha", VendorBrand},
	{"boschsecurity", "Bosch Security", VendorBrand}, {"boschsicherheit", "Bosch Security", VendorBrand},
	{"mobotix", "Mobotix", VendorBrand}, {"pelco", "Pelco", VendorBrand}, {"avigilon", "Avigilon", VendorBrand},
	{"verkada", "Verkada", VendorBrand}, {"reolink", "Reolink", VendorBrand}, {"wyzelabs", "Wyze", VendorBrand},
	{"ringllc", "Ring", VendorBrand}, {"blinkbyamazon", "Blink", VendorBrand}, {"arlotechnology", "Arlo", VendorBrand},
	{"geovision", "GeoVision", VendorBrand}, {"xiamenmilesight", "Milesight", VendorBrand}, {"milesight", "Milesight", VendorBrand},
	{"tiandy", "Tiandy", VendorBrand}, {"acticorporation", "ACTi", VendorBrand}, {"arecontvision", "Arecont Vision", VendorBrand},
	{"honeywellvideo", "Honeywell Video", VendorBrand},
	{"flirsystems", "FLIR", VendorBrand}, {"marchnetworks", "March Networks", VendorBrand},
	{"dedicatedmicros", "Dedicated Micros", VendorBrand}, {"dynacolor", "DynaColor", VendorODM},
	{"hisharp", "HiSharp", VendorODM}, {"shenzhenreecam", "Reecam", VendorODM},
	{"suzhoukeda", "Kedacom", VendorBrand},
	{"eyesight", "Eyesight", VendorBrand}, {"netatmo", "Netatmo", VendorBrand},
	{"2ntelekomunikace", "2N", VendorBrand}, {"akuvox", "Akuvox", VendorBrand},
	{"shanghaixiaoyi", "Yi", VendorBrand},
	{"digitalwatchdog", "Digital Watchdog", VendorBrand}, {"costarvideo", "CostarHD", VendorBrand},
	// Network gear.
	{"ciscomeraki", "Cisco Meraki", VendorBrand}, {"ciscolinksys", "Linksys", VendorBrand},
	{"ciscosystems", "Cisco", VendorBrand}, {"cisco", "Cisco", VendorBrand}, {"junipernetworks", "Juniper", VendorBrand},
	{"aristanetworks", "Arista", VendorBrand}, {"extremenetworks", "Extreme Networks", VendorBrand},
	{"ruckuswireless", "Ruckus", VendorBrand}, {"ubiquiti", "Ubiquiti", VendorBrand}, {"routerboard", "MikroTik", VendorBrand},
	{"fortinet", "Fortinet", VendorBrand}, {"paloaltonetworks", "Palo Alto Networks", VendorBrand},
	{"watchguard", "WatchGuard", VendorBrand}, {"sonicwall", "SonicWall", VendorBrand}, {"sophos", "Sophos", VendorBrand},
	{"checkpointsoftware", "Check Point", VendorBrand}, {"zyxel", "Zyxel", VendorBrand}, {"netgear", "NETGEAR", VendorBrand},
	{"avmaudio", "AVM", VendorBrand}, {"fritztechnology", "AVM", VendorBrand}, {"draytek", "DrayTek", VendorBrand}, {"lancom", "LANCOM", VendorBrand},
	{"brocade", "Brocade", VendorBrand}, {"newh3c", "H3C", VendorBrand}, {"hangzhouh3c", "H3C", VendorBrand}, {"ruijie", "Ruijie", VendorBrand},
	{"eero", "eero", VendorBrand}, {"linksys", "Linksys", VendorBrand}, {"sagemcom", "Sagemcom", VendorBrand}, {"arcadyan", "Arcadyan", VendorODM},
	{"askeycomputer", "Askey", VendorODM}, {"technicolor", "Technicolor", VendorBrand}, {"vantiva", "Vantiva", VendorBrand},
	{"commscope", "CommScope", VendorBrand}, {"moxa", "Moxa", VendorBrand}, {"hirschmann", "Hirschmann", VendorBrand},
	{"mellanox", "Mellanox", VendorBrand},
	// Consumer makers of many kinds of devices.
	{"tplink", "TP-Link", VendorBrand}, {"dlink", "D-Link", VendorBrand}, {"edimax", "Edimax", VendorBrand},
	{"assmannelectronic", "Ednet (Assmann)", VendorBrand}, {"asustek", "ASUS", VendorBrand}, {"belkin", "Belkin", VendorBrand},
	{"xiaomi", "Xiaomi", VendorBrand}, {"beijingxiaomi", "Xiaomi", VendorBrand}, {"huaweidevice", "Huawei", VendorBrand},
	{"huawei", "Huawei", VendorBrand}, {"ztecorporation", "ZTE", VendorBrand}, {"samsungelectronics", "Samsung", VendorBrand},
	{"lgelectronics", "LG", VendorBrand}, {"sonyinteractive", "Sony PlayStation", VendorBrand}, {"sonycorporation", "Sony", VendorBrand},
	{"panasonic", "Panasonic", VendorBrand}, {"amazon", "Amazon", VendorBrand}, {"google", "Google", VendorBrand}, {"nestlabs", "Google Nest", VendorBrand},
	{"apple", "Apple", VendorBrand}, {"microsoft", "Microsoft", VendorBrand}, {"nintendo", "Nintendo", VendorBrand}, {"roku", "Roku", VendorBrand},
	{"trendnet", "TRENDnet", VendorBrand}, {"buffalo", "Buffalo", VendorBrand},
	// Hubs, sensors, lamps, appliances.
	{"philipslighting", "Philips Lighting (Signify)", VendorBrand}, {"signify", "Philips Lighting (Signify)", VendorBrand},
	{"osram", "Osram", VendorBrand}, {"ledvance", "Ledvance", VendorBrand}, {"eq3", "eQ-3", VendorBrand}, {"withings", "Withings", VendorBrand},
	{"fitbit", "Fitbit", VendorBrand}, {"sonosinc", "Sonos", VendorBrand}, {"bosecorp", "Bose", VendorBrand}, {"ecobee", "ecobee", VendorBrand},
	{"resideo", "Resideo", VendorBrand}, {"lifilabs", "LIFX", VendorBrand}, {"nanoleaf", "Nanoleaf", VendorBrand},
	{"shelly", "Shelly", VendorBrand},
	{"smartthings", "SmartThings", VendorBrand}, {"physicalgraph", "SmartThings", VendorBrand}, {"lumiunited", "Aqara", VendorBrand},
	{"irobot", "iRobot", VendorBrand}, {"beijingroborock", "Roborock", VendorBrand}, {"midea", "Midea", VendorBrand}, {"gdmidea", "Midea", VendorBrand},
	{"augusthome", "August", VendorBrand}, {"tadogmbh", "tado", VendorBrand},
	{"ikea", "IKEA", VendorBrand}, {"tuya", "Tuya", VendorODM},
	{"siemens", "Siemens", VendorBrand}, {"schneiderelectric", "Schneider Electric", VendorBrand}, {"rockwellautomation", "Rockwell Automation", VendorBrand},
	{"wagokontakt", "WAGO", VendorBrand}, {"beckhoff", "Beckhoff", VendorBrand}, {"phoenixcontact", "Phoenix Contact", VendorBrand},
	// Phones and conference systems.
	{"yealink", "Yealink", VendorBrand}, {"xiamenyealink", "Yealink", VendorBrand}, {"polycom", "Polycom", VendorBrand}, {"grandstream", "Grandstream", VendorBrand},
	{"snom", "Snom", VendorBrand}, {"avaya", "Avaya", VendorBrand}, {"gigaset", "Gigaset", VendorBrand}, {"oneplus", "OnePlus", VendorBrand},
	{"guangdongoppo", "OPPO", VendorBrand}, {"vivomobile", "vivo", VendorBrand}, {"motorolamobility", "Motorola", VendorBrand}, {"htccorporation", "HTC", VendorBrand},
	{"hmdglobal", "Nokia (HMD)", VendorBrand}, {"honordevice", "Honor", VendorBrand}, {"realme", "realme", VendorBrand},
	// Printers.
	{"brotherindustries", "Brother", VendorBrand}, {"canon", "Canon", VendorBrand}, {"seikoepson", "Epson", VendorBrand}, {"lexmark", "Lexmark", VendorBrand},
	{"xerox", "Xerox", VendorBrand}, {"kyocera", "Kyocera", VendorBrand}, {"ricoh", "Ricoh", VendorBrand}, {"konicaminolta", "Konica Minolta", VendorBrand},
	{"zebratechnologies", "Zebra", VendorBrand}, {"okielectric", "OKI", VendorBrand},
	// Servers, storage, PCs, virtual machines.
	{"hewlettpackard", "HP", VendorBrand}, {"hpinc", "HP", VendorBrand}, {"dellinc", "Dell", VendorBrand}, {"lenovo", "Lenovo", VendorBrand},
	{"supermicro", "Supermicro", VendorBrand}, {"vmware", "VMware", VendorBrand}, {"synology", "Synology", VendorBrand}, {"qnap", "QNAP", VendorBrand},
	{"raspberrypi", "Raspberry Pi", VendorBrand}, {"ibmcorp", "IBM", VendorBrand}, {"oracle", "Oracle", VendorBrand}, {"fujitsu", "Fujitsu", VendorBrand},
	{"pcssystemtechnik", "VirtualBox", VendorBrand}, {"xensource", "Xen", VendorBrand}, {"netapp", "NetApp", VendorBrand}, {"westerndigital", "Western Digital", VendorBrand},
	{"gigabyte", "Gigabyte", VendorBrand}, {"microstar", "MSI", VendorBrand}, {"acer", "Acer", VendorBrand},
	// Makers of boards and radio modules for others.
	{"honhai", "Hon Hai (Foxconn)", VendorODM}, {"foxconn", "Hon Hai (Foxconn)", VendorODM}, {"pegatron", "Pegatron", VendorODM}, {"quantacomputer", "Quanta", VendorODM},
	{"compal", "Compal", VendorODM}, {"wistron", "Wistron", VendorODM}, {"wnccorporation", "WNC", VendorODM}, {"azurewave", "AzureWave", VendorODM},
	{"ampak", "AMPAK", VendorODM}, {"murata", "Murata", VendorODM}, {"liteon", "Liteon", VendorODM}, {"sercomm", "Sercomm", VendorODM},
	{"shenzhenbilian", "Bilian", VendorODM}, {"deltaelectronics", "Delta Electronics", VendorODM}, {"universalglobalscientific", "USI", VendorODM},
	{"hiflying", "Hi-Flying", VendorODM}, {"shanghaihighflying", "Hi-Flying", VendorODM}, {"lcfchefei", "LCFC", VendorODM}, {"flextronics", "Flex", VendorODM},
	{"huizhougaoshengda", "Gaoshengda", VendorODM}, {"samsungelectro", "Samsung Electro-Mechanics", VendorODM},
	{"cloudnetworktechnology", "Cloud Network Technology", VendorODM}, {"universalelectronics", "Universal Electronics", VendorODM},
	{"gainspan", "GainSpan", VendorChip}, {"alpsalpine", "Alps Alpine", VendorODM}, {"lginnotek", "LG Innotek", VendorODM},
	// Makers of chips.
	{"espressif", "Espressif", VendorChip}, {"realtek", "Realtek", VendorChip}, {"texasinstruments", "Texas Instruments", VendorChip},
	{"broadcom", "Broadcom", VendorChip}, {"qualcomm", "Qualcomm", VendorChip}, {"atheros", "Qualcomm", VendorChip}, {"mediatek", "MediaTek", VendorChip},
	{"marvell", "Marvell", VendorChip}, {"siliconlaboratories", "Silicon Labs", VendorChip},
	{"altobeam", "AltoBeam", VendorChip}, {"bouffalo", "Bouffalo Lab", VendorChip}, {"hongkongbouffalo", "Bouffalo Lab", VendorChip},
	{"beken", "Beken", VendorChip}, {"intelcorp", "Intel", VendorChip}, {"nordicsemi", "Nordic", VendorChip}, {"microchip", "Microchip", VendorChip},
	{"stmicro", "STMicroelectronics", VendorChip}, {"nxp", "NXP", VendorChip}, {"shenzhenicomm", "iComm", VendorChip}, {"annapurna", "Annapurna Labs", VendorChip},
	{"cypresssemi", "Infineon", VendorChip}, {"infineon", "Infineon", VendorChip}, {"hisilicon", "HiSilicon", VendorChip}, {"wiznet", "WIZnet", VendorChip},
	{"quectel", "Quectel", VendorChip}, {"renesas", "Renesas", VendorChip},
}

// Brands lists the short names of the brands, in the order of the table.
func Brands() (out []string) {
	for _, m := range makers {
		if m.kind == VendorBrand {
			out = append(out, m.name)
		}
	}
	return out
}
