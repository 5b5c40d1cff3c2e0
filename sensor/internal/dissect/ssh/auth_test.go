// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// sized is a connection of which only the sizes of the encrypted segments are known. talk has "C" or "S" and a size for each segment,
// with "+" between packets that share one, and "CF" or "SF" where a side ends.
type sized struct {
	name                string
	client, server      string // identification lines, without "SSH-2.0-"
	cipher, mac, packer string
	talk                string
	want                dissect.SSHAuth
}

// The names of the algorithms in the tables.
const (
	chacha = "chacha20-poly1305@openssh.com"
	gcm    = "aes256-gcm@openssh.com"
	ctr    = "aes128-ctr"
	etm    = "hmac-sha2-512-etm@openssh.com"
	sha2   = "hmac-sha2-256"
	sha1   = "hmac-sha1"
	openS  = "OpenSSH_9.2p1"
	drops  = "dropbear_2022.83"
	param  = "paramiko_5.1.0"
	async  = "AsyncSSH_2.24.1"
	putty  = "PuTTY_Release_0.78"
)

// Feed plays the connection and returns the reported results of the login.
func (c sized) Feed() (reported []dissect.SSHAuth) {
	var s Stream
	sink := func(f dissect.Fact) {
		if a, ok := f.(*dissect.SSHAuth); ok {
			reported = append(reported, *a)
		}
	}
	if c.packer == "" {
		c.packer = "none"
	}
	newKeys := Packet(string(rune(msgNewKeys)))
	mac := c.mac
	if strings.HasPrefix(c.client, "OpenSSH") {
		mac += ",umac-64-etm@openssh.com"
	}
	offer := offerOf(c.cipher, mac, c.packer)
	heads := [2][]byte{[]byte("SSH-2.0-" + c.client + "\r\n" + offer), []byte("SSH-2.0-" + c.server + "\r\n" + offer)}
	for dir := range heads {
		s.Feed(dir, heads[dir], false, sink)
	}
	for dir := range heads {
		heads[dir] = append(heads[dir], newKeys...)
		s.Feed(dir, heads[dir], false, sink)
	}
	tag := sizesOf(c.cipher, c.mac).tag
	for _, x := range strings.Fields(c.talk) {
		dir := strings.Index("CS", x[:1])
		if x[1:] == "F" {
			s.Feed(dir, heads[dir], true, sink)
			continue
		}
		for _, size := range strings.Split(x[1:], "+") {
			n, err := strconv.Atoi(size)
			if err != nil {
				panic(err)
			}
			packet := make([]byte, n)
			binary.BigEndian.PutUint32(packet, uint32(max(0, n-4-tag))) // where the length is in clear text
			heads[dir] = append(heads[dir], packet...)
		}
		s.Feed(dir, heads[dir], false, sink)
	}
	return reported
}

func TestSSHAuthSizes(t *testing.T) {
	for _, c := range []sized{
		{"password", openS, openS, chacha, sha2, "", "S200 C44 S44 C68 S76 C148 S28 C112 S116 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"password, GCM", openS, openS, gcm, sha2, "", "C52 S52 C68 S84 C148 S36 C52+68 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"password, encrypt then MAC", openS, openS, ctr, etm, "", "C100 S100 C116 S132 C196 S84 C100+116 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"password, MAC of 32 bytes", openS, openS, ctr, sha2, "", "C64 S64 C80 S96 C160 S48 C160 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"password, MAC of 20 bytes", openS, openS, ctr, sha1, "", "C52 S52 C68 S84 C148 S36 C136 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"success and the host keys in one segment", openS, openS, ctr, etm, "", "C100 S100 C116 S132 C196 S84+164 C100+116 CF SF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"failures, then success", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C84 S76 C84 S76 C148 S28 C112 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 2}},
		{"refused", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C84 S76 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2}},
		{"only asks for the methods", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 CF SF", dissect.SSHAuth{}},
		{"not asked for a login", openS, openS, chacha, sha2, "", "C44 S44 CF SF", dissect.SSHAuth{}},
		{"none is enough", openS, openS, ctr, sha2, "", "C64 S64 C80 S48 C80 S64 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},

		{"Dropbear's shortest packet", openS, drops, chacha, sha2, "", "C44 S44 C68 S52 C148 S36 C52 S44 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"Dropbear as client, request with its keys", drops, openS, chacha, sha1, "", "C112 S44 S76 C76 S76 C76 S76 SF CF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2}},
		{"Dropbear at both ends", drops, drops, chacha, sha1, "", "C112 S44 S52 C92 S36 C52 S44 SF CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},

		{"banner and failure in one segment", openS, openS, chacha, sha2, "", "C44 S44 C68 S132+76 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"banner and failure apart", openS, openS, chacha, sha2, "", "C44 S44 C68 S132 S76 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"banner and failure, GCM", openS, openS, gcm, sha2, "", "C52 S52 C68 S132+84 C148 S84 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"banner, then success", openS, openS, ctr, sha2, "", "C64 S64 C80 S144+96 C160 S48 C160 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"banner longer than a segment", openS, openS, ctr, sha1, "", "C52 S52 C68 S1448 S1448 S508 C148 S84 C148 S84 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2}},
		{"banner before the first request", openS, param, ctr, sha2, "", "C64 S64 S160 C80 S96 C160 S96 CF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"banner with the only answer, OpenSSH", param, openS, ctr, sha2, "", "C64 S64 C96 S144+96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"banner with the only answer, Dropbear", param, drops, ctr, sha2, "", "C64 S64 C96 S160+80 CF SF", dissect.SSHAuth{}},
		{"banner with success, then a channel", param, drops, ctr, sha2, "", "C64 S64 C112 S160+48 C80 S64 C64 S48 S48 S128 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"banner with success, then nothing", param, openS, ctr, sha2, "", "C64 S64 C112 S144+48 S128 CF SF", dissect.SSHAuth{}},

		{"one guess without none", param, openS, ctr, sha2, "", "C64 S64 C96 S96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"one guess without none, one segment of a slow user", param, openS, ctr, sha1, "", "C52 S52 C84 S84 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"one guess of a client that is not known", "x", openS, ctr, sha2, "", "C64 S64 C96 S96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"one short request of a client that is not known", "x", openS, ctr, sha2, "", "C64 S64 C80 S96 CF SF", dissect.SSHAuth{}},
		{"one request of a client that asks first", putty, openS, ctr, sha2, "", "C64 S64 C96 S96 CF SF", dissect.SSHAuth{}},
		{"one key of a client that is not known", "x", openS, ctr, sha2, "", "C64 S64 C240 S96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"SSH_MSG_EXT_INFO of both", openS, openS, chacha, sha2, "", "C68 S116 C44 S44 C68 S192 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"SSH_MSG_EXT_INFO of the client with its request", openS, openS, chacha, sha2, "", "C112 S44 C68 S192 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"the service is asked for again", param, openS, ctr, sha2, "", "C64 S64 C96 S96 C64 S64 C96 S96 C64 S64 C112 S48 S128 C80 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 2}},
		{"a channel is refused", param, openS, ctr, sha2, "", "C64 S64 C96 S96 C64 S64 C96 S96 C80 S48 SF CF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 2}},
		{"a channel is refused after a banner", param, openS, ctr, sha2, "", "C64 S64 C96 S240 C80 S48 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"a channel is refused, at length", param, param, ctr, sha2, "", "C64 S64 C96 S96 C80 S64 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"a channel is not even refused", param, drops, ctr, sha2, "", "C64 S64 C96 S80 C80 SF CF", dissect.SSHAuth{}},

		{"keyboard-interactive", param, openS, ctr, sha2, "", "C64 S64 C112 S80 C64 S48 C80 S64 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"keyboard-interactive refused", param, openS, ctr, sha2, "", "C64 S64 C112 S80 C64 S96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"keyboard-interactive, answer as long as for a channel", async, param, gcm, sha2, "", "C52 S52 C36 C68 S84 C36 C100 S68 C36 C52 S36 C36 C52 S52 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"a question is not answered", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C92 S60 CF SF", dissect.SSHAuth{}},

		{"key", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C140 S100 C308 S28 C112 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"key is not known", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C140 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"three keys are not known, then a password", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C140 S76 C196 S76 C356 S76 C84 S28 C112 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"key is known and not used", openS, openS, chacha, sha2, "", "C44 S44 C68 S76 C140 S100 CF SF", dissect.SSHAuth{}},

		{"compressed after the login", openS, openS, chacha, sha2, "zlib@openssh.com,none", "C44 S44 C68 S76 C148 S28 C112 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"compressed from the start", openS, openS, chacha, sha2, "zlib,none", "C44 S44 C68 S76 C148 S28 C112 CF", dissect.SSHAuth{}},
		{"cipher is not known", openS, openS, "x-ctr", sha2, "", "C44 S44 C68 S76 C148 S28 C112 CF", dissect.SSHAuth{}},
		{"MAC is not known", openS, openS, ctr, "x", "", "C44 S44 C68 S76 C148 S28 C112 CF", dissect.SSHAuth{}},

		{"server that sends SSH_MSG_IGNORE, refused", param, async, ctr, sha2, "", "C64 S64 C96 S48 S96 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"server that sends SSH_MSG_IGNORE, success", param, async, ctr, sha2, "", "C64 S64 C112 S48 S48 C80 S64 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"server that sends SSH_MSG_IGNORE, banner", openS, async, chacha, sha2, "", "S764 C44 S44 C68 S36 S132 S36 S76 C84 S36 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"both send SSH_MSG_IGNORE", async, async, chacha, sha2, "", "C44 S44 C36 C68 S36 S76 C36 C76 S36 S76 C36 C84 S36 S28 C36 C52 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1}},
		{"the same from one who does not say so", openS, "x", chacha, sha2, "", "C44 S44 C68 S36 S76 C84 S36 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},

		{"password beside SSH_MSG_IGNORE", putty, openS, ctr, sha2, "", "C64 S64 C80 S96 C112 S96 C272 S48 C80 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1}},
		{"SSH_MSG_EXT_INFO after the client's first packet", openS, openS, chacha, sha2, "", "C44 S116 S44 C68 S76 C84 S76 CF SF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"SSH_MSG_EXT_INFO and the grant in one segment", openS, openS, chacha, sha2, "", "C44 S116+44 C68 S76 C148 S28 C112 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"64 bytes at a time", "Cisco-1.25", "Cisco-1.25", "aes128-cbc", sha1, "", "C52 S52 C64 C4 S52 C64 C20 S36 C64 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 0}},
		{"key and password, both asked for", openS, openS, ctr, sha2, "", "C64 S64 C80 S64 C160 S128 C320 S64 C160 S48 C160 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1}},
		{"too many", openS, openS, ctr, sha2, "", "C64 S64 C80 S96 C160 S96 C160 S80 SF CF", dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}},
		{"Go pads to 16 bytes", "Go", "Go", chacha, sha2, "", "C52 S52 C68 S68 C84 S68 C84 S36 C68 CF", dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1}},
		{"data before the client speaks", openS, openS, chacha, sha2, "", "S44 S28 C44 S44 C68 S76 CF SF", dissect.SSHAuth{}},
	} {
		reported := c.Feed()
		last := dissect.SSHAuth{}
		if len(reported) > 0 {
			last = reported[len(reported)-1]
		}
		if last != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, reported, c.want)
		}
		if c.want.Result != dissect.OutcomeSuccess && slices.ContainsFunc(reported, func(a dissect.SSHAuth) bool { return a.Result == dissect.OutcomeSuccess }) {
			t.Errorf("%s: success was reported in between: %+v", c.name, reported)
		}
	}
}

// TestSSHFailureIsWithdrawnWhenCut checks that a failure is withdrawn if the rest of a side is not read: a client could hide its
// success behind what it sends before.
func TestSSHFailureIsWithdrawnWhenCut(t *testing.T) {
	c := sized{client: openS, server: openS, cipher: chacha, mac: sha2, talk: "C44 S44 C68 S76 C84 S76 C84 S76 C" + strconv.Itoa(dissect.HeadLimit) + " CF"}
	reported := c.Feed()
	if want := []dissect.SSHAuth{{Result: dissect.OutcomeFailure, Failures: 1}, {Result: dissect.OutcomeFailure, Failures: 2}, {Result: dissect.OutcomeUnknown, Failures: 2}}; !slices.Equal(reported, want) {
		t.Errorf("%+v, want %+v", reported, want)
	}
}

// TestSSHAuthIsBounded checks that a client that never stops does not use more and more memory.
func TestSSHAuthIsBounded(t *testing.T) {
	c := sized{client: openS, server: openS, cipher: chacha, mac: sha2, talk: "C44 S44" + strings.Repeat(" C84 S76", 10*maxTurns) + " CF"}
	reported := c.Feed()
	if n := len(reported); n == 0 || reported[n-1].Result != dissect.OutcomeFailure || reported[n-1].Failures > maxTurns {
		t.Errorf("%d results, the last %+v", n, reported[max(0, n-1):])
	}
}
