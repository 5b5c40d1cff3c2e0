// SPDX-License-Identifier: Apache-2.0

package snapshottest

import (
	"bytes"
	"net/netip"
	"reflect"
	"unsafe"
)

// Instead maps a type to a function that changes a field of it; the fields of that type are not visited then.
type Instead map[reflect.Type]func(field reflect.Value)

// Forgotten changes each field of *v in turn, including those of nested structures and lists, and returns the paths of the fields whose change
// does not change the output of encode: they are not saved. Fields with the tag snapshot:"-" are not meant to be.
func Forgotten(v any, encode func() []byte, how Instead) []string {
	f := fields{encode: encode, how: how}
	f.structure("", reflect.ValueOf(v).Elem())
	return f.forgotten
}

type fields struct {
	encode    func() []byte
	how       Instead
	forgotten []string
}

func (f *fields) structure(path string, v reflect.Value) {
	if path != "" {
		path += "."
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("snapshot") == "-" {
			continue
		}
		x := v.Field(i)
		f.field(path+v.Type().Field(i).Name, reflect.NewAt(x.Type(), unsafe.Pointer(x.UnsafeAddr())).Elem()) // exported or not
	}
}

func (f *fields) field(path string, v reflect.Value) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	defer v.Set(was)
	if change := f.how[v.Type()]; change != nil {
		f.changed(path, func() { change(v) })
		return
	}
	switch v.Interface().(type) {
	case netip.Addr:
		f.changed(path, func() { v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.77"))) })
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.structure(path, v)
	case reflect.Pointer:
		f.changed(path, func() { v.Set(reflect.New(v.Type().Elem())) })
		if v.Type().Elem().Kind() == reflect.Struct {
			f.structure(path, v.Elem())
		}
	case reflect.Slice:
		f.changed(path, func() { v.Set(reflect.MakeSlice(v.Type(), 1, 1)) })
		f.field(path+"[]", v.Index(0))
	case reflect.Array:
		f.field(path+"[]", v.Index(v.Len()-1))
	default:
		f.changed(path, func() { scalar(v) })
	}
}

// changed makes a change and records whether it is encoded.
func (f *fields) changed(path string, change func()) {
	before := bytes.Clone(f.encode())
	change()
	if bytes.Equal(before, f.encode()) {
		f.forgotten = append(f.forgotten, path)
	}
}

// scalar sets a field to another value.
func scalar(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Float64:
		v.SetFloat(v.Float() + 0.5)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		scalar(key)
		m.SetMapIndex(key, value)
		v.Set(m)
	default:
		panic("no change is known for a " + v.Type().String())
	}
}
