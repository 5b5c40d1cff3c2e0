// SPDX-License-Identifier: Apache-2.0

package fingerprint

import "stillwatch/sensor/internal/dissect"

// HASSH returns the MD5, in lower-case hex, of the algorithms that an SSH client offers for what it sends: key exchange, encryption, MAC,
// compression, joined by ";" (https://github.com/corelight/hassh).
func HASSH(k *dissect.SSHKexInit) string {
	if k == nil {
		return ""
	}
	return hassh(k.Kex, k.EncC2S, k.MACC2S, k.CompressionC2S)
}

// HASSHServer is HASSH for a server: the algorithms for the direction from server to client.
func HASSHServer(k *dissect.SSHKexInit) string {
	if k == nil {
		return ""
	}
	return hassh(k.Kex, k.EncS2C, k.MACS2C, k.CompressionS2C)
}

func hassh(kex, enc, mac, compression string) string {
	var scratch [2048]byte
	b := append(scratch[:0], kex...)
	b = append(append(b, ';'), enc...)
	b = append(append(b, ';'), mac...)
	b = append(append(b, ';'), compression...)
	return md5Hex(b)
}
