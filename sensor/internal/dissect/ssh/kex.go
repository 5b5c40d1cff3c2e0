// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// maxList bounds one name list; the longest in use have about 1000 bytes.
const maxList = 1 << 13

// parseKexInit reads SSH_MSG_KEXINIT (RFC 4253 section 7.1): number, 16 bytes of cookie, ten name lists. It returns
// nil if the message ends before the two lists of languages, which are last.
func parseKexInit(payload []byte) *dissect.SSHKexInit {
	r := parse.Reader{B: payload}
	r.Bytes(17)
	k := &dissect.SSHKexInit{}
	for _, list := range []*string{&k.Kex, &k.HostKey, &k.EncC2S, &k.EncS2C, &k.MACC2S, &k.MACS2C, &k.CompressionC2S, &k.CompressionS2C} {
		if r.U16() != 0 {
			return nil
		}
		b := r.Vec16()
		if r.Bad || len(b) > maxList {
			return nil
		}
		*list = string(b)
	}
	k.LanguagesC2S, k.LanguagesS2C = languages(&r), languages(&r)
	return k
}

// languages reads a list of languages, which nobody uses: it is "" if the message ends early or the list is too long.
func languages(r *parse.Reader) string {
	if r.U16() != 0 || r.Bad {
		return ""
	}
	b := r.Vec16()
	if r.Bad || len(b) > maxList {
		return ""
	}
	return string(b)
}

// chosen returns the algorithm that two name lists lead to: the first of the client's that the server has, too (RFC
// 4253 section 7.1), or "" if there is none.
func chosen(client, server string) string {
	for client != "" {
		name, rest, _ := strings.Cut(client, ",")
		if isListed(server, name) {
			return name
		}
		client = rest
	}
	return ""
}

func isListed(list, name string) bool {
	for list != "" {
		item, rest, _ := strings.Cut(list, ",")
		if item == name {
			return true
		}
		list = rest
	}
	return false
}
