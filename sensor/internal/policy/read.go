// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxFile is the size of a file with policies, in bytes.
const MaxFile = 64 << 20

// Read reads a file of policies: one JWS in each line, or records as JSON objects, which may have several lines. Empty lines and lines that begin with
// # are left out. The records are checked; the signatures are not.
func Read(r io.Reader) (all []Offer, err error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > MaxFile:
		return nil, fmt.Errorf("it has more than %d bytes", MaxFile)
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")):
		return readRecords(b)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, MaxFile)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		j, err := parseJWS(string(line))
		if err == nil {
			_, err = Parse(j.unverified())
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, Offer{Raw: bytes.Clone(line)})
	}
	if len(all) == 0 {
		return nil, errors.New("it has no policy")
	}
	return all, lines.Err()
}

func readRecords(b []byte) (all []Offer, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		var raw json.RawMessage
		at := 1 + bytes.Count(b[:d.InputOffset()], []byte("\n"))
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err == nil {
			_, err = Parse(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("policy %d, after line %d: %w", len(all)+1, at, err)
		}
		all = append(all, Offer{Raw: raw, Unsigned: true})
	}
}
