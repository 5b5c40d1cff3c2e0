// SPDX-License-Identifier: Apache-2.0

package dissect

import "strings"

// sshMaxList bounds one name list; the longest in use have about 1000 bytes.
const sshMaxList = 1 << 13

// sshParseKexInit reads SSH_MSG_KEXINIT (RFC 4253 section 7.1): number, 16 bytes of cookie, ten name lists of which the
// two of languages are left out. It gives nil if the message ends early.
func sshParseKexInit(payload []byte) *SSHKexInit {
	r := tlsReader{b: payload}
	r.bytes(17)
	k := &SSHKexInit{}
	for _, list := range []*string{&k.Kex, &k.HostKey, &k.EncC2S, &k.EncS2C, &k.MACC2S, &k.MACS2C, &k.CompressionC2S, &k.CompressionS2C} {
		if r.u16() != 0 {
			return nil
		}
		b := r.vec16()
		if r.bad || len(b) > sshMaxList {
			return nil
		}
		*list = string(b)
	}
	return k
}

// sshChosen gives the algorithm that two name lists lead to: the first of the client's that the server has as well (RFC 4253
// section 7.1); "" if there is none.
func sshChosen(client, server string) string {
	for client != "" {
		name, rest, _ := strings.Cut(client, ",")
		if sshListed(server, name) {
			return name
		}
		client = rest
	}
	return ""
}

func sshListed(list, name string) bool {
	for list != "" {
		item, rest, _ := strings.Cut(list, ",")
		if item == name {
			return true
		}
		list = rest
	}
	return false
}
