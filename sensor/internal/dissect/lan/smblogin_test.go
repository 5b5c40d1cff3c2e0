// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

const (
	success    = 0
	more       = 0xc0000016
	expired    = 0xc0000071
	noUser     = 0xc0000064
	wrong      = 0xc000006a
	refused    = 0xc000006d
	lockedOut  = 0xc0000234
	badPwdDOS  = 2<<16 | 2
	unextended = 0x8000 // flags 2: Unicode, errors of DOS
)

// setup2 returns a SESSION_SETUP of version 2 with a number and a status.
func setup2(number byte, status uint32, body string) string {
	b := []byte(smb2(1, body))
	binary.LittleEndian.PutUint32(b[4+8:], status)
	b[4+24] = number
	return string(b)
}

func prove2(number byte, message string) dissecttest.Turn {
	return dissecttest.Client(setup2(number, 0, "\x19\x00"+strings.Repeat("\x00", 22)+message))
}

func answer2(number byte, status uint32, flags string) dissecttest.Turn {
	return dissecttest.Server(setup2(number, status, "\x09\x00"+flags+"\x00\x00\x00\x00"))
}

// setup1 returns a SESSION_SETUP_ANDX of version 1.
func setup1(number byte, status uint32, words, data string) string {
	b := []byte(smb1(0x73, string([]byte{byte(len(words) / 2)})+words+string([]byte{byte(len(data)), 0})+data))
	binary.LittleEndian.PutUint32(b[4+5:], status)
	b[4+11] = 0xc0
	if status == badPwdDOS {
		binary.LittleEndian.PutUint16(b[4+10:], unextended)
	}
	b[4+30] = number
	return string(b)
}

func prove1(number byte, message string) dissecttest.Turn {
	return dissecttest.Client(setup1(number, 0, strings.Repeat("\x00", 24), message))
}

// plain1 returns the request without an NTLM message: proofs or passwords, then the user.
func plain1(oem, unicode, user string) dissecttest.Turn {
	words := strings.Repeat("\x00", 14) + string([]byte{byte(len(oem)), 0, byte(len(unicode)), 0}) + strings.Repeat("\x00", 8)
	pad := ""
	if (len(oem)+len(unicode))%2 == 0 { // the data begins at an odd place
		pad = "\x00"
	}
	return dissecttest.Client(setup1(1, 0, words, oem+unicode+pad+dissecttest.UTF16(user+"\x00CORP\x00")))
}

func answer1(number byte, status uint32, action string) dissecttest.Turn {
	return dissecttest.Server(setup1(number, status, "\xff\x00\x00\x00"+action, ""))
}

func negotiated1(securityMode string) []dissecttest.Turn {
	return []dissecttest.Turn{dissecttest.Client(smb1(0x72, oldDialects)), dissecttest.Server(smb1(0x72, "\x11\x00\x00"+securityMode+strings.Repeat("\x00", 31)+"\x00\x00"))}
}

func TestSMBLogins(t *testing.T) { dispatchtest.CheckLogins(t, smbLoginCases()) }

func smbLoginCases() map[string]dispatchtest.LoginCase {
	user := dissecttest.NTLMAuthenticate("PC1", 22631)
	lm := strings.Repeat("\x01", 24)
	result := func(all ...dissect.Outcome) (want []dissect.Login) {
		for _, r := range all {
			want = append(want, dissect.Login{Protocol: "smb", UserHint: "ot", Result: r})
		}
		return want
	}
	const unknown, in, failure = dissect.OutcomeUnknown, dissect.OutcomeSuccess, dissect.OutcomeFailure
	one := func(turns ...dissecttest.Turn) []dissecttest.Turn { return turns }
	two := func(status uint32, flags string) []dissecttest.Turn {
		return one(prove2(1, "NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"), answer2(1, more, "\x00\x00"+dissecttest.NTLMChallenge("SRV1", "", 17763)), prove2(2, user), answer2(2, status, flags))
	}
	old := func(mode string, turns ...dissecttest.Turn) []dissecttest.Turn {
		return append(negotiated1(mode), turns...)
	}
	cases := map[string]struct {
		turns []dissecttest.Turn
		want  []dissect.Login
	}{
		"success":         {two(success, "\x00\x00"), result(in)},
		"encrypted":       {two(success, "\x04\x00"), result(in)},
		"refused":         {two(refused, "\x00\x00"), result(failure)},
		"wrong password":  {two(wrong, "\x00\x00"), result(failure)},
		"no such user":    {two(noUser, "\x00\x00"), result(failure)},
		"locked out":      {two(lockedOut, "\x00\x00"), result(failure)},
		"expired":         {two(expired, "\x00\x00"), result(unknown)},
		"as guest":        {two(success, "\x01\x00"), result(unknown)},
		"no answer":       {one(prove2(2, user)), result(unknown)},
		"another's":       {one(prove2(2, user), answer2(3, refused, "\x00\x00")), result(unknown)},
		"null session":    {one(prove2(1, dissecttest.NTLMAnonymous()), answer2(1, success, "\x02\x00")), nil},
		"Kerberos":        {one(prove2(1, "\x60\x82\x04\x00 ticket"), answer2(1, success, "\x00\x00")), nil},
		"pending":         {one(prove2(1, user), answer2(1, 0x103, "\x00\x00"), answer2(1, success, "\x00\x00")), result(in)},
		"guesses":         {one(prove2(1, user), answer2(1, refused, "\x00\x00"), prove2(2, user), answer2(2, refused, "\x00\x00"), prove2(3, user), answer2(3, success, "\x00\x00")), result(failure, failure, in)},
		"after anonymous": {one(prove2(1, dissecttest.NTLMAnonymous()), answer2(1, success, "\x02\x00"), prove2(2, user), answer2(2, refused, "\x00\x00")), result(failure)},
		"two at once":     {one(prove2(1, user), prove2(2, user), answer2(1, refused, "\x00\x00"), answer2(2, success, "\x00\x00")), result(unknown, in)},

		"version 1":                   {old("\x03", prove1(1, user), answer1(1, success, "\x00\x00")), result(in)},
		"version 1, refused":          {old("\x03", prove1(1, user), answer1(1, refused, "")), result(failure)},
		"version 1, as guest":         {old("\x03", prove1(1, user), answer1(1, success, "\x01\x00")), result(unknown)},
		"version 1, error of DOS":     {old("\x03", prove1(1, user), answer1(1, badPwdDOS, "")), result(failure)},
		"version 1, null session":     {old("\x03", plain1("\x00", "", ""), answer1(1, success, "\x00\x00")), nil},
		"version 1, proofs":           {old("\x03", plain1(lm, lm, "root"), answer1(1, success, "\x00\x00")), result(in)},
		"version 1, proofs refused":   {old("\x03", plain1(lm, "", "root"), answer1(1, refused, "")), result(failure)},
		"version 1, password":         {old("\x01", plain1("SECRET\x00", "", "root"), answer1(1, success, "\x00\x00")), []dissect.Login{dissecttest.CleartextLogin("smb", "ot", in, false)}},
		"version 1, default":          {old("\x01", plain1("12345\x00", "", "admin"), answer1(1, success, "\x00\x00")), []dissect.Login{dissecttest.CleartextLogin("smb", "in", in, true)}},
		"version 1, default, Unicode": {old("\x01", plain1("", dissecttest.UTF16("12345\x00"), "admin"), answer1(1, refused, "")), []dissect.Login{dissecttest.CleartextLogin("smb", "in", failure, true)}},
	}
	logins := map[string]dispatchtest.LoginCase{}
	for name, c := range cases {
		logins[name] = dispatchtest.LoginCase{Ports: dissect.Ports{Client: 40000, Server: 445}, App: "smb", Turns: c.turns, Want: c.want}
	}
	return logins
}
