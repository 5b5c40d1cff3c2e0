// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"stillwatch/sensor/internal/policy"
)

// Seal is what shows that a report is unchanged.
type Seal struct {
	SHA256    string `json:"sha256"`
	Signature string `json:"signature,omitempty"` // JWS of "stillwatch.case/1", a space and SHA256
}

// seal returns the seal of bytes; key may be nil.
func seal(body []byte, key ed25519.PrivateKey) (s Seal, err error) {
	sum := sha256.Sum256(body)
	s.SHA256 = hex.EncodeToString(sum[:])
	if key != nil {
		s.Signature, err = policy.Sign(s.signed(), key)
	}
	return s, err
}

// signed returns what is signed. It is no record of a policy, so that a signature of one never passes for the other.
func (s *Seal) signed() []byte { return []byte(Schema + " " + s.SHA256) }

// document is a report as JSON.
type document struct {
	Report json.RawMessage `json:"report"`
	Seal
}

// WriteJSON writes the report as JSON. The seal is over the member report in its compact form; key may be nil.
func (r *Report) WriteJSON(w io.Writer, key ed25519.PrivateKey) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	d := document{Report: body}
	if d.Seal, err = seal(body, key); err != nil {
		return err
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

// WriteHTML writes the report as a page. Its last line is the seal of everything before it; key may be nil.
func (r *Report) WriteHTML(w io.Writer, key ed25519.PrivateKey) error {
	page, err := r.page()
	if err != nil {
		return err
	}
	s, err := seal(page, key)
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s<!-- stillwatch-seal %s -->\n", page, b)
	}
	return err
}

// Sealed is a report that was read back.
type Sealed struct {
	Captures []Capture
	Intact   bool // the seal fits
	Seal     Seal
	Signer   string // id of the key that claims to have signed it; "" if it is not signed
}

var (
	errNoReport = errors.New("it is no case report of stillwatch")
	sealLine    = regexp.MustCompile(`(?s)^(.*\n)<!-- stillwatch-seal (\{[^\n]*\}) -->\n$`)
	custodyData = regexp.MustCompile(`(?s)<script type="application/json" id="custody">(.*?)</script>`)
)

// Read reads a report, HTML or JSON.
func Read(b []byte) (*Sealed, error) {
	if json.Valid(b) {
		return readJSON(b)
	}
	m, data := sealLine.FindSubmatch(b), custodyData.FindSubmatch(b)
	if data == nil {
		return nil, errNoReport
	}
	var c custody
	if err := json.Unmarshal(data[1], &c); err != nil {
		return nil, errNoReport
	}
	s := &Sealed{Captures: c.Captures}
	if m != nil && json.Unmarshal(m[2], &s.Seal) == nil {
		return s, s.check(m[1])
	}
	return s, nil
}

func readJSON(b []byte) (*Sealed, error) {
	var d document
	var r Report
	if json.Unmarshal(b, &d) != nil || json.Unmarshal(d.Report, &r) != nil || r.Schema != Schema {
		return nil, errNoReport
	}
	s := &Sealed{Captures: r.Captures, Seal: d.Seal}
	// A member that is repeated, or that the sealed form does not have, could show a reader something else than was sealed.
	var body, whole bytes.Buffer
	if json.Compact(&body, d.Report) != nil || json.Compact(&whole, b) != nil {
		return nil, errNoReport
	}
	d.Report = body.Bytes()
	if again, err := json.Marshal(d); err != nil || !bytes.Equal(again, whole.Bytes()) {
		return s, nil
	}
	return s, s.check(body.Bytes())
}

// check compares the seal with what it seals.
func (s *Sealed) check(body []byte) error {
	now, err := seal(body, nil)
	s.Intact = err == nil && now.SHA256 == s.Seal.SHA256
	if s.Seal.Signature != "" {
		if s.Signer, err = policy.Signer(s.Seal.Signature); err != nil {
			s.Intact = false
		}
	}
	return nil
}

// SignedBy reports whether a key has signed the report.
func (s *Sealed) SignedBy(public ed25519.PublicKey) bool {
	body, err := policy.Verify(s.Seal.Signature, public)
	return err == nil && s.Intact && bytes.Equal(body, s.Seal.signed())
}
