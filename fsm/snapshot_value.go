package fsm

import "encoding/binary"

// appendValue encodes what a key holds, by its kind.
func appendValue(dst []byte, v *value) []byte {
	switch v.kind() {
	case kindString:
		return v.AppendTo(binary.AppendUvarint(dst, uint64(v.Len())))
	default:
		panic("fsm: a kind without an encoding")
	}
}

// value decodes what appendValue wrote.
func (d *decoder) value(k kind, enc encoding) value {
	switch k {
	case kindString:
		return value{str: string(d.bytes()), enc: enc}
	default:
		d.bad = true
		return value{}
	}
}
