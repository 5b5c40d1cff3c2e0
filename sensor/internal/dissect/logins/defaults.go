// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"stillwatch/sensor/internal/datafile"
)

// The default credentials: pairs that vendors publish as factory settings, or that malware is known to try. scripts/assets/build makes the
// file from a list of the pairs.
//
//go:embed credentials.tsv
var embeddedText []byte

// Schemes: where a default is used.
const (
	schemeLogin = 'l' // all logins
	schemeClear = 'c' // in the file only: a login whose password is sent in clear text. Its password is not needed again
	schemeVNC   = 'v' // a password without a user name
	schemeSNMP  = 's' // a community
)

var schemes = map[string]byte{"login": schemeLogin, "clear": schemeClear, "vnc": schemeVNC, "snmp": schemeSNMP}

// Defaults is a table of default credentials. It has hashes of the pairs, and the passwords that are needed to compute a proof again in a form
// that only their user name opens.
type Defaults struct {
	Head   datafile.Head
	key    secretKey
	rows   []row
	pairs  map[pairHash]struct{}
	byUser map[userTag][]int // rows with a password
}

type row struct {
	vendor, scheme string
	user           userTag
	pair           pairHash
	password       sealed
	sealed         bool
}

// Rows returns the number of default credentials.
func (d *Defaults) Rows() int { return len(d.rows) }

// InUse holds the default credentials in use. The embedded ones are parsed at the first use.
var InUse = datafile.NewSlot(func() *Defaults {
	d, err := ParseDefaults(embeddedText)
	if err != nil {
		panic(err)
	}
	return d
})

// EmbeddedDefaults returns the file of default credentials that is part of the program.
func EmbeddedDefaults() []byte { return embeddedText }

// ParseDefaults reads a file of default credentials. A row has four columns with a pair as it is, or five with its hashes; the key of the
// hashes is in the head. An error never quotes the file. Nothing of text is kept.
func ParseDefaults(text []byte) (*Defaults, error) {
	d := &Defaults{pairs: map[pairHash]struct{}{}, byUser: map[userTag][]int{}}
	var err error
	if d.Head, _, err = datafile.ParseHead(text); err != nil {
		return nil, err
	}
	if d.Head.Key == "" {
		if _, err := rand.Read(d.key[:]); err != nil {
			return nil, err
		}
	} else if n, err := hex.Decode(d.key[:], []byte(d.Head.Key[:min(len(d.Head.Key), 2*len(d.key))])); err != nil || n != len(d.key) || len(d.Head.Key) != 2*n {
		return nil, fmt.Errorf("key: want %d hexadecimal digits", 2*len(d.key))
	}
	return d, datafile.Lines(text, d.add)
}

// add reads a row.
func (d *Defaults) add(line []byte) error {
	cells := bytes.Split(line, []byte("\t"))
	if len(cells) != 4 && (len(cells) != 5 || d.Head.Key == "") {
		return fmt.Errorf("%d columns, want vendor, scheme, user and password, separated by tabs; or 5 in a file with a key", len(cells))
	}
	r := row{vendor: string(cells[0]), scheme: string(cells[1])}
	code := schemes[r.scheme]
	switch {
	case code == 0:
		return errors.New("scheme: want login, clear, vnc or snmp")
	case r.vendor == "" || len(r.vendor) > 64:
		return errors.New("vendor: want 1 to 64 bytes")
	}
	var err error
	if len(cells) == 4 {
		err = r.hash(&d.key, code, cells[2], cells[3])
	} else {
		err = r.decode(cells[2:])
	}
	if err != nil {
		return err
	}
	if _, twice := d.pairs[r.pair]; twice {
		return errors.New("the same pair is in an earlier line")
	}
	d.pairs[r.pair] = struct{}{}
	if r.sealed {
		d.byUser[r.user] = append(d.byUser[r.user], len(d.rows))
	}
	d.rows = append(d.rows, r)
	return nil
}

// hash fills a row from a pair.
func (r *row) hash(k *secretKey, scheme byte, user, password []byte) error {
	switch {
	case len(user) > maxUser || len(password) > maxPassword:
		return fmt.Errorf("want at most %d bytes of a user name and %d of a password", maxUser, maxPassword)
	case (scheme == schemeVNC || scheme == schemeSNMP) && (len(user) > 0 || len(password) == 0):
		return errors.New("want a password, and no user name with vnc and snmp")
	}
	r.sealed = scheme == schemeLogin || scheme == schemeVNC
	if scheme == schemeClear {
		scheme = schemeLogin
	}
	r.user, r.pair = k.user(scheme, user), k.pair(scheme, user, password)
	if r.sealed {
		r.password = k.seal(scheme, user, password)
	}
	return nil
}

// decode fills a row from the hashes in a file.
func (r *row) decode(cells [][]byte) error {
	r.sealed = string(cells[2]) != "-"
	for i, to := range [][]byte{r.user[:], r.pair[:], r.password[:]} {
		if i == 2 && !r.sealed {
			break
		}
		if len(cells[i]) != 2*len(to) {
			return fmt.Errorf("column %d: want %d hexadecimal digits", i+3, 2*len(to))
		}
		if _, err := hex.Decode(to, cells[i]); err != nil {
			return fmt.Errorf("column %d: want %d hexadecimal digits", i+3, 2*len(to))
		}
	}
	return nil
}

// SealDefaults returns a file of default credentials with hashes instead of pairs.
func SealDefaults(text []byte) ([]byte, error) {
	d, err := ParseDefaults(text)
	if err != nil {
		return nil, err
	}
	return d.Sealed(), nil
}

// Sealed returns the file with hashes instead of pairs.
func (d *Defaults) Sealed() []byte {
	b := fmt.Appendf(nil, `# SPDX-License-Identifier: Apache-2.0
#
# Default credentials, as hashes with the key below: vendor, scheme, hash of the user name, hash of user name and password, and the password
# in a form that the user name opens, if proofs must be computed again. docs/assets.md says how to write such a file.
#
# Date: %s
# License: %s
# Key: %x
`, d.Head.Date, d.Head.License, d.key)
	if d.Head.Source != "" {
		b = fmt.Appendf(b, "# Source: %s\n", d.Head.Source)
	}
	b = append(b, '\n')
	for i := range d.rows {
		r := &d.rows[i]
		b = fmt.Appendf(b, "%s\t%s\t%x\t%x\t", r.vendor, r.scheme, r.user, r.pair)
		if r.sealed {
			b = fmt.Appendf(b, "%x\n", r.password)
		} else {
			b = append(b, "-\n"...)
		}
	}
	return b
}

// has reports whether a pair is in the table.
func (d *Defaults) has(scheme byte, user, password []byte) bool {
	if len(user) > maxUser || len(password) > maxPassword {
		return false
	}
	_, ok := d.pairs[d.key.pair(scheme, user, password)]
	return ok
}

// passwords returns the rows with the passwords of a user.
func (d *Defaults) passwords(scheme byte, user []byte) []int {
	if len(user) > maxUser {
		return nil
	}
	return d.byUser[d.key.user(scheme, user)]
}

// any reports whether matches accepts a password of a user, in the rows of a vendor ("" for all).
func (d *Defaults) any(scheme byte, user []byte, vendor string, matches func(password string) bool) bool {
	return slices.ContainsFunc(d.passwords(scheme, user), func(i int) bool {
		r := &d.rows[i]
		if vendor != "" && r.vendor != vendor {
			return false
		}
		password := d.key.open(scheme, user, r.pair, r.password)
		return password != nil && matches(string(password))
	})
}

// IsDefaultPair reports whether a pair is a well-known default. It keeps neither.
func IsDefaultPair(user, password []byte) bool {
	return InUse.Get().has(schemeLogin, user, password)
}

// IsDefaultCommunity reports whether a community of SNMP is a well-known default.
func IsDefaultCommunity(community []byte) bool { return InUse.Get().has(schemeSNMP, nil, community) }

// Known reports whether the user has default passwords, without which a proof need not be compared.
func Known(user []byte) bool { return len(InUse.Get().passwords(schemeLogin, user)) > 0 }
