// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"bytes"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

const plainFile = "# Date: 2026-11-30\n# License: ours\n\nAcme\tlogin\tops\tWinter2020\nAcme\tclear\tops\tSommer\nAcme\tvnc\t\tblau\nAcme\tsnmp\t\tlesen\nAcme\tlogin\tnobody\t\n"

func mustParse(t testing.TB, text []byte) *Defaults {
	t.Helper()
	d, err := ParseDefaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// passwordsOf returns the passwords with which a proof of a user is compared.
func passwordsOf(d *Defaults, scheme byte, user, vendor string) string {
	var all []string
	d.any(scheme, []byte(user), vendor, func(p string) bool { all = append(all, p); return false })
	return strings.Join(all, " ")
}

// A table of pairs and the table of their hashes are the same, and neither has a password in it.
func TestSealedFileIsTheSame(t *testing.T) {
	plain := mustParse(t, []byte(plainFile))
	file := plain.Sealed()
	for name, d := range map[string]*Defaults{"plain": plain, "sealed": mustParse(t, file), "sealed again": mustParse(t, mustParse(t, file).Sealed())} {
		for _, tc := range []struct {
			scheme         byte
			user, password string
			want           bool
		}{
			{schemeLogin, "ops", "Winter2020", true}, {schemeLogin, "ops", "Sommer", true}, {schemeLogin, "nobody", "", true},
			{schemeLogin, "ops", "winter2020", false}, {schemeLogin, "op", "sWinter2020", false}, {schemeLogin, "", "blau", false}, {schemeVNC, "", "blau", true},
			{schemeSNMP, "", "lesen", true}, {schemeSNMP, "", "blau", false}, {schemeLogin, strings.Repeat("x", 300), "", false}, {schemeLogin, "ops", strings.Repeat("x", 300), false},
		} {
			if got := d.has(tc.scheme, []byte(tc.user), []byte(tc.password)); got != tc.want {
				t.Errorf("%s: %q %q: %v", name, tc.user, tc.password, got)
			}
		}
		if d.Rows() != 5 || passwordsOf(d, schemeLogin, "ops", "") != "Winter2020" || passwordsOf(d, schemeLogin, "ops", "Acme") != "Winter2020" || passwordsOf(d, schemeLogin, "ops", "Other") != "" ||
			passwordsOf(d, schemeVNC, "", "") != "blau" || passwordsOf(d, schemeLogin, "Ops", "") != "" || passwordsOf(d, schemeSNMP, "", "") != "" {
			t.Errorf("%s: %q", name, passwordsOf(d, schemeLogin, "ops", ""))
		}
	}
	for _, secret := range []string{"ops", "Winter", "Sommer", "blau", "lesen", "nobody"} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("%q is in the file:\n%s", secret, file)
		}
	}
	if other := mustParse(t, []byte(plainFile)).Sealed(); bytes.Equal(other, file) {
		t.Error("two files without a key have the same one")
	}
	keyed := strings.Replace(plainFile, "\n\n", "\n# Key: "+strings.Repeat("ab", 32)+"\n\n", 1)
	if a, b := mustParse(t, []byte(keyed)).Sealed(), mustParse(t, []byte(keyed)).Sealed(); !bytes.Equal(a, b) {
		t.Error("the same file with a key gives two results")
	}
	if d := mustParse(t, append(file, "Acme\tlogin\tops\tAutumn\n"...)); passwordsOf(d, schemeLogin, "ops", "") != "Winter2020 Autumn" {
		t.Error("a pair cannot be added to hashes")
	}
}

// No message quotes what a line has.
func TestErrorsQuoteNoPair(t *testing.T) {
	head := "# Date: 2026-11-30\n# License: ours\n"
	key := "# Key: " + strings.Repeat("ab", 32) + "\n"
	for text, want := range map[string]string{
		head + "s3cret\n": "line 3: 1 columns, want vendor, scheme, user and password",
		head + "Acme\tlogin\ts3cret\ts3cret\ts3cret\n":                         "line 3: 5 columns",
		head + "Acme\ts3cret\ts3cret\ts3cret\n":                                "line 3: scheme: want login, clear, vnc or snmp",
		head + "\tlogin\ts3cret\ts3cret\n":                                     "line 3: vendor",
		head + "Acme\tlogin\t" + strings.Repeat("s3cret", 20) + "\ts3cret\n":   "line 3: want at most 64 bytes of a user name and 31 of a password",
		head + "Acme\tlogin\ts3cret\t" + strings.Repeat("s3cret", 20) + "\n":   "line 3: want at most",
		head + "Acme\tvnc\ts3cret\ts3cret\n":                                   "no user name with vnc and snmp",
		head + "Acme\tsnmp\t\t\n":                                              "want a password",
		head + "Acme\tlogin\ts3cret\ts3cret\nAcme\tclear\ts3cret\ts3cret\n":    "line 4: the same pair is in an earlier line",
		head + "Acme\tlogin\ts3cret\t\xff\n":                                   "not plain text",
		head + "# Key: s3cret\n":                                               "key: want 64 hexadecimal digits",
		head + key + "Acme\tlogin\ts3cret\ts3cret\ts3cret\n":                   "column 3: want 16 hexadecimal digits",
		head + key + "Acme\tlogin\t0011223344556677\ts3cret\ts3cret\n":         "column 4: want 32 hexadecimal digits",
		head + key + "Acme\tlogin\t001122334455667z\ts3cret\ts3cret\n":         "column 3: want 16 hexadecimal digits",
		"Acme\tlogin\ts3cret\ts3cret\n":                                        "date",
		"# Date: 2026-11-30\n\nAcme\tlogin\ts3cret\ts3cret\n":                  "License",
		head + "Acme\tlogin\t" + strings.Repeat("s3cret", 1000) + "\ts3cret\n": "at most 4096",
	} {
		_, err := ParseDefaults([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// TestEmbeddedDefaults checks the table of the program with pairs that each test of a protocol relies on.
func TestEmbeddedDefaults(t *testing.T) {
	d := InUse.Get()
	if n := d.Rows(); n < 100 || n > 200 {
		t.Errorf("%d pairs; proofs are computed again with each one of a user, so 200 are the most", n)
	}
	for pair, want := range map[[2]string]bool{{"admin", "12345"}: true, {"root", "xc3511"}: true, {"root", ""}: true, {"admin", "tlJwpbo6"}: false, {"admin", "Tr0ub4dor"}: false} {
		if IsDefaultPair([]byte(pair[0]), []byte(pair[1])) != want {
			t.Errorf("%q: not %v", pair, want)
		}
	}
	if !IsDefaultCommunity([]byte("public")) || IsDefaultCommunity([]byte("Public")) || !Known([]byte("admin")) || Known([]byte("telnet")) || Known([]byte("jürgen")) {
		t.Error("wrong communities or users")
	}
	for _, vendor := range []string{"Hikvision", "Dahua", "Axis"} {
		found := false
		for i := range d.rows {
			found = found || d.rows[i].vendor == vendor
		}
		if !found {
			t.Errorf("no row of %s", vendor)
		}
	}
}

// Comparing a pair allocates nothing: a flood of guesses must not keep the garbage collector busy.
func TestComparingDoesNotAllocate(t *testing.T) {
	user, password := []byte("admin"), []byte("Tr0ub4dor")
	InUse.Get()
	if n := testing.AllocsPerRun(100, func() {
		if IsDefaultPair(user, password) || !Known(user) || ProofOf(password) == (Proof{}) {
			t.Error("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseDefaults(f *testing.F) {
	f.Add([]byte(plainFile))
	f.Add(mustParse(f, []byte(plainFile)).Sealed())
	mutate.Fuzz(f, func(t *testing.T, text []byte) {
		d, err := ParseDefaults(text)
		if err != nil {
			return
		}
		again := mustParse(t, d.Sealed())
		if again.Rows() != d.Rows() || !bytes.Equal(again.Sealed(), d.Sealed()) {
			t.Error("what Sealed writes is another table")
		}
		d.any(schemeLogin, []byte("ops"), "", func(string) bool { return false })
	})
}
