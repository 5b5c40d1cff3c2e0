// SPDX-License-Identifier: Apache-2.0

package export

import (
	"io"

	"github.com/parquet-go/parquet-go"

	"stillwatch/schemas"
)

// rowsInGroup bounds the rows that are in memory: a row group is written when it has as many.
const rowsInGroup = 20000

// parquetTables writes four tables as Parquet.
type parquetTables struct {
	sessions  *parquet.GenericWriter[sessionRow]
	devices   *parquet.GenericWriter[deviceRow]
	alerts    *parquet.GenericWriter[alertRow]
	incidents *parquet.GenericWriter[incidentRow]
}

// NewParquet returns a format that writes each of Tables to a file. A file can be read after End.
func NewParquet(files map[string]io.Writer) Format {
	return &parquetTables{
		sessions: table[sessionRow](files["sessions"]), devices: table[deviceRow](files["devices"]),
		alerts: table[alertRow](files["alerts"]), incidents: table[incidentRow](files["incidents"]),
	}
}

func table[T any](f io.Writer) *parquet.GenericWriter[T] {
	return parquet.NewGenericWriter[T](f, parquet.CreatedBy("stillwatch", "", ""), parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(rowsInGroup))
}

func (p *parquetTables) Begin() error                     { return nil }
func (p *parquetTables) Session(s *schemas.Session) error { return add(p.sessions, rowOfSession(s)) }
func (p *parquetTables) Device(d *schemas.Device) error   { return add(p.devices, rowOfDevice(d)) }
func (p *parquetTables) Alert(a *schemas.Alert) error     { return add(p.alerts, rowOfAlert(a)) }
func (p *parquetTables) Incident(i *schemas.Incident) error {
	return add(p.incidents, rowOfIncident(i))
}

// add writes one row. The writer copies it.
func add[T any](w *parquet.GenericWriter[T], row T) error {
	_, err := w.Write([]T{row})
	return err
}

// End writes the last row groups and the footers.
func (p *parquetTables) End() error {
	for _, w := range []io.Closer{p.sessions, p.devices, p.alerts, p.incidents} {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}
