// SPDX-License-Identifier: Apache-2.0

package recognize_test

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/recognize"
)

func TestShells(t *testing.T) {
	for _, c := range []struct {
		turns []dissecttest.Turn
		want  string
	}{
		{[]dissecttest.Turn{dissecttest.Server("id\n"), dissecttest.Client("uid=0(root) gid=0(root)\n")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("\r\nMicrosoft Windows [Version 10.0.17763.107]\r\n(c) 2018")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("\n\nBusyBox v1.12.1 (2014-11-06) built-in shell (ash)\n")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("/bin/sh: can't access tty; job control turned off\n/ # ")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("bash: cannot set terminal process group (711): Inappropriate ioctl\n")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("root@cam-3:/tmp# ")}, "shell"},
		{[]dissecttest.Turn{dissecttest.Client("root@cam-3:/tmp# \x1b[6n")}, "shell"},      // ash asks for the position of the cursor
		{[]dissecttest.Turn{dissecttest.Server("uid=1000(ops) gid=1000(ops)\n")}, "shell"}, // a shell that listens
		{[]dissecttest.Turn{dissecttest.Client("uid=7&name=x\r\n")}, ""},
		{[]dissecttest.Turn{dissecttest.Client("root@example.com wrote: hello\r\n")}, ""},
		{[]dissecttest.Turn{dissecttest.Client("NICK bot\r\nUSER a 8 * :b\r\n")}, "irc"},
		{[]dissecttest.Turn{dissecttest.Server("220 mail ESMTP\r\n"), dissecttest.Client("EHLO a\r\n")}, "smtp"},
		{[]dissecttest.Turn{dissecttest.Server("220 FTP server (vsFTPd 3.0.3)\r\n"), dissecttest.Client("USER a\r\n")}, "ftp"},
		{[]dissecttest.Turn{dissecttest.Server("\xff\xfd\x18\xff\xfd\x20login: "), dissecttest.Client("\xff\xfc\x18root\r\n"), dissecttest.Server("\r\nroot@cam:~# ")}, "telnet"},
		{[]dissecttest.Turn{dissecttest.Client("SSH-2.0-dropbear_2019.78\r\n")}, "ssh"},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 4444}, c.turns)
		if got := dissecttest.AppOf(facts); got != c.want {
			t.Errorf("%v: %q, want %q", c.turns, got, c.want)
		}
	}
}

func FuzzLooksShell(f *testing.F) {
	f.Add([]byte("uid=0(root) gid=0(root)\n"))
	f.Add([]byte("root@cam:/# "))
	mutate.Fuzz(f, func(t *testing.T, head []byte) {
		recognize.LooksShell(head, false, dissect.Ports{})
		recognize.LooksShell(head, true, dissect.Ports{})
	})
}
