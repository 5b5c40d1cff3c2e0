// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "tuya",
	Signs: "`00 00 55 aa` and `00 00 aa 55` at the ends, or `00 00 66 99` and `00 00 99 66`",
	Reads: "identity",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 570, First: "\x00\x00", Looks: LooksTuya, New: Tuya.New},
	},
})

// Tuya is the announcement of devices with Tuya's software, on UDP ports 6666 (in clear text), 6667 (with a key that is the same for all devices)
// and 7000 (requests of apps). Published clients (tinytuya, localtuya) describe the frames.
var Tuya = announce.Protocol{Name: "tuya", Info: tuyaInfo}

// Frames of versions up to 3.4: prefix, number, command, length of the rest, code of the result (not in requests), text, checksum, suffix.
// Frames of version 3.5: prefix, two bytes, number, command, length, nonce, text in AES-GCM with a tag of 16 bytes, suffix.
const (
	tuyaPrefix, tuyaSuffix       = "\x00\x00\x55\xaa", "\x00\x00\xaa\x55"
	tuyaGCMPrefix, tuyaGCMSuffix = "\x00\x00\x66\x99", "\x00\x00\x99\x66"
	tuyaHead, tuyaTail           = 16, 8
	tuyaGCMHead, tuyaNonce       = 18, 12
	tuyaCode                     = 4
	tuyaMax                      = 1500
)

// LooksTuya recognizes a frame by the magic numbers at both ends.
func LooksTuya(b []byte, _ dissect.Ports) bool {
	if len(b) < 20 {
		return false
	}
	head, tail := string(b[:4]), string(b[len(b)-4:])
	return head == tuyaPrefix && tail == tuyaSuffix || head == tuyaGCMPrefix && tail == tuyaGCMSuffix
}

// tuyaBlock and tuyaGCM are the published key in the two modes.
var tuyaBlock, tuyaGCM = tuyaCiphers()

func tuyaCiphers() (cipher.Block, cipher.AEAD) {
	key := md5.Sum([]byte("yGAdlopoPVldABfn"))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, nil // not with a key of 16 bytes
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil
	}
	return block, gcm
}

// tuyaInfo reads what a device announces. An announcement names the device and its product; what an app asks for does not.
func tuyaInfo(b []byte) *dissect.DeviceInfo {
	info := &dissect.DeviceInfo{Vendor: "Tuya"}
	parse.JSONMembers(tuyaText(b), func(depth int, key, value []byte) {
		switch {
		case depth != 1:
		case string(key) == "ip":
			info.IP = parse.Addr(value)
		case string(key) == "gwId":
			info.Serial = announce.JSONText(value)
		case string(key) == "productKey":
			info.Class = announce.JSONText(value)
		}
	})
	if info.Serial == "" || info.Class == "" {
		return nil
	}
	return info
}

// tuyaText returns the JSON of a frame, nil if it has none.
func tuyaText(b []byte) []byte {
	var text []byte
	switch {
	case len(b) > tuyaMax:
	case bytes.HasPrefix(b, []byte(tuyaGCMPrefix)):
		text = tuyaOpen(b)
	case len(b) >= tuyaHead+tuyaTail && int(binary.BigEndian.Uint32(b[12:])) == len(b)-tuyaHead:
		text = tuyaDecrypt(b[tuyaHead : len(b)-tuyaTail])
	}
	if i := bytes.IndexByte(text, '{'); i >= 0 && i <= tuyaCode {
		return text[i:]
	}
	return nil
}

// tuyaOpen decrypts a frame of version 3.5. Its header is authenticated without the prefix.
func tuyaOpen(b []byte) []byte {
	const end = len(tuyaGCMSuffix)
	if tuyaGCM == nil || len(b) < tuyaGCMHead+tuyaNonce+tuyaGCM.Overhead()+end {
		return nil
	}
	nonce, sealed := b[tuyaGCMHead:tuyaGCMHead+tuyaNonce], b[tuyaGCMHead+tuyaNonce:len(b)-end]
	text, err := tuyaGCM.Open(nil, nonce, sealed, b[4:tuyaGCMHead])
	if err != nil {
		return nil
	}
	return text
}

// tuyaDecrypt returns the text of an earlier frame: as it is, or decrypted in whole blocks, behind the code of the result if there is one.
func tuyaDecrypt(body []byte) []byte {
	if i := bytes.IndexByte(body, '{'); i == 0 || i == tuyaCode {
		return body
	}
	for _, start := range [...]int{tuyaCode, 0} {
		if len(body) < start+aes.BlockSize || (len(body)-start)%aes.BlockSize != 0 || tuyaBlock == nil {
			continue
		}
		text := make([]byte, len(body)-start)
		for at := 0; at < len(text); at += aes.BlockSize {
			tuyaBlock.Decrypt(text[at:], body[start+at:])
		}
		return text
	}
	return nil
}
