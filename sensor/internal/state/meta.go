// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"
)

// format is the version of the file as a whole; each part in it has its own version.
const format = 1

var metaBucket = []byte("meta")

// identify reads the meta bucket and refuses files of another format, sensor or site.
func (s *Store) identify() error {
	return s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(metaBucket)
		if first, _ := tx.Cursor().First(); b == nil && first == nil {
			return nil // the program that created it was killed before the first snapshot
		}
		if b == nil {
			return ErrForeign
		}
		if f := string(b.Get([]byte("format"))); f != strconv.Itoa(format) {
			return fmt.Errorf("it has format %.20q and this program reads %d: use the version that wrote it, or move the file away to start without state", f, format)
		}
		if s.o.Any {
			s.o.Sensor, s.o.Site, s.o.Version = string(b.Get([]byte("sensor"))), string(b.Get([]byte("site"))), string(b.Get([]byte("version")))
		}
		for _, x := range []struct{ what, want string }{{"sensor", s.o.Sensor}, {"site", s.o.Site}} {
			if got := string(b.Get([]byte(x.what))); got != x.want {
				return fmt.Errorf("it is the state of %s %.80q and this is %s %.80q: use another file, or move it away to start without state", x.what, got, x.what, x.want)
			}
		}
		s.clock, s.step = int64(number(b, "clock")), number(b, "step")
		if s.o.NotAfter != 0 && s.clock > s.o.NotAfter {
			return fmt.Errorf("it ends at %s, which is in the future: set the clock of the machine, or move the file away to start without state",
				time.Unix(0, s.clock).UTC().Format(time.RFC3339))
		}
		return nil
	})
}

func number(b *bolt.Bucket, name string) uint64 {
	v := b.Get([]byte(name))
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func (s *Store) writeMeta(tx *bolt.Tx, j *job) error {
	b, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	put := func(name string, v []byte) { err = errors.Join(err, b.Put([]byte(name), v)) }
	put("format", []byte(strconv.Itoa(format)))
	put("sensor", []byte(s.o.Sensor))
	put("site", []byte(s.o.Site))
	put("version", []byte(s.o.Version))
	put("clock", binary.BigEndian.AppendUint64(nil, uint64(j.clock)))
	put("step", binary.BigEndian.AppendUint64(nil, j.step))
	return err
}
