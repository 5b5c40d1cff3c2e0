// SPDX-License-Identifier: Apache-2.0

// Package pack writes the compressed data files of the sensor: a head of comment lines, an empty line, and the data.
package pack

import (
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Head is what a data file says about itself.
type Head struct {
	Date    string // of the data, YYYY-MM-DD
	License string
	Source  string // package and version
}

// Write compresses head and data to a file. The same input produces the same output, byte for byte.
func Write(file string, h Head, data []byte) error {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	head := fmt.Sprintf("# Date: %s\n# License: %s\n# Source: %s\n\n", h.Date, h.License, h.Source)
	return os.WriteFile(file, w.EncodeAll(append([]byte(head), data...), nil), 0o644)
}
