// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// maxComment bounds the comment of a file: an option of pcapng has at most 65,535 bytes.
const maxComment = 60_000

// Origin is a capture that was read, for the comment of the extracted file.
type Origin struct {
	Name   string
	Size   int64  // 0: not known
	SHA256 string // in hexadecimal, "" if not known
	file   bool   // a regular file
}

// Writer writes an extracted file in the format pcapng. It exists under its name when Finish has returned. Each capture is an interface, one for
// each of its link types.
type Writer struct {
	path    string
	about   func(Result) string // all of the comment but the captures
	origins []Origin
	file    *os.File // nil before the first packet
	w       *pcapgo.NgWriter
	first   pcapgo.NgInterface
	reserve int // length of the comment
	ifaces  map[iface]int
}

type iface struct {
	file string
	link packet.LinkType
}

// Create returns a Writer for a file with a comment: what about returns, and the captures.
func Create(path string, about func(Result) string, origins []Origin) *Writer {
	return &Writer{path: path, about: about, origins: origins, ifaces: map[iface]int{}}
}

// packet writes a packet.
func (w *Writer) packet(file string, f *capture.Frame, data []byte) error {
	k := iface{file, f.Link}
	i, ok := w.ifaces[k]
	if !ok {
		var err error
		if i, err = w.addInterface(k); err != nil {
			return err
		}
		w.ifaces[k] = i
	}
	return w.w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, f.Time), CaptureLength: len(data), Length: int(max(f.OrigLen, f.Len)), InterfaceIndex: i}, data)
}

// addInterface adds an interface. The first one begins the file, with a comment of blanks: what it will say is not known yet.
func (w *Writer) addInterface(k iface) (int, error) {
	x := pcapgo.NgInterface{Name: filepath.Base(k.file), LinkType: layers.LinkType(k.link)}
	if x.Name = printable(x.Name); len(x.Name) > 255 {
		x.Name = strings.ToValidUTF8(x.Name[:255], "")
	}
	if w.w != nil {
		return w.w.AddInterface(x)
	}
	f, err := os.CreateTemp(filepath.Dir(w.path), ".extract-*")
	if err != nil {
		return 0, err
	}
	w.file, w.first = f, x
	zeros := make([]Origin, len(w.origins))
	for i, o := range w.origins {
		zeros[i] = Origin{Name: o.Name, Size: max(o.Size, 1<<62), SHA256: strings.Repeat("0", 64)}
	}
	const most = 1<<63 - 1
	w.reserve = min(len(w.comment(Result{Packets: most, Bytes: most, First: most, Last: most}, zeros)), maxComment)
	w.w, err = pcapgo.NewNgWriterInterface(f, x, options(strings.Repeat(" ", w.reserve)))
	return 0, err
}

func options(comment string) pcapgo.NgWriterOptions {
	return pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "stillwatch-sensor", Comment: comment}}
}

// comment returns the comment of the file. Captures that do not fit are only counted.
func (w *Writer) comment(r Result, origins []Origin) string {
	var b strings.Builder
	b.WriteString(w.about(r))
	for i, o := range origins {
		line := "capture: " + printable(o.Name)
		if o.Size > 0 {
			line += fmt.Sprintf(", %d bytes", o.Size)
		}
		if o.SHA256 != "" {
			line += ", SHA-256 " + o.SHA256
		}
		if b.Len()+len(line) > maxComment-100 {
			fmt.Fprintf(&b, "\nand %d further captures", len(origins)-i)
			break
		}
		b.WriteString("\n" + line)
	}
	return b.String()
}

// Finish completes the file with its comment and gives it its name. Without packets there is no file.
func (w *Writer) Finish(r Result, origins []Origin) error {
	if w.file == nil {
		return nil
	}
	err := w.w.Flush()
	if err == nil {
		err = w.setComment(w.comment(r, origins))
	}
	if e := w.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(w.file.Name(), w.path)
	}
	if err != nil {
		w.remove()
	}
	w.file = nil
	return err
}

// setComment replaces the comment, in the same length.
func (w *Writer) setComment(text string) error {
	text = strings.ToValidUTF8(text[:min(len(text), w.reserve)], "")
	var head bytes.Buffer
	x, err := pcapgo.NewNgWriterInterface(&head, w.first, options(text+strings.Repeat(" ", w.reserve-len(text))))
	if err != nil {
		return err
	}
	if err := x.Flush(); err != nil {
		return err
	}
	_, err = w.file.WriteAt(head.Bytes(), 0)
	return err
}

// Discard removes what was written.
func (w *Writer) Discard() {
	if w.file != nil {
		_ = w.file.Close()
		w.remove()
	}
}

func (w *Writer) remove() {
	_ = os.Remove(w.file.Name())
	w.file, w.w = nil, nil
	clear(w.ifaces)
}

// printable returns a name without characters that control a terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}
