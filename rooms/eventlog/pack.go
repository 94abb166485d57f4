package eventlog

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// packers are used again: one takes over a megabyte.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic("eventlog: " + err.Error()) // only of a level that does not exist
	}
	return w
}}

// pack writes what is said of a snapshot, and the data compressed behind it.
func pack(info Snapshot, data []byte) ([]byte, error) {
	head, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	packed.Write(binary.BigEndian.AppendUint32(nil, uint32(len(head))))
	packed.Write(head)
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(&packed)
	if _, err = w.Write(data); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress %d bytes: %w", len(data), err)
	}
	return packed.Bytes(), nil
}

// unpack is what pack was given; the data may have MaxSnapshotState bytes.
func unpack(packed []byte) (info Snapshot, data []byte, err error) {
	if len(packed) < 4 || uint64(len(packed)) < 4+uint64(binary.BigEndian.Uint32(packed)) {
		return info, nil, ErrSnapshotDamaged
	}
	head, rest := packed[4:4+binary.BigEndian.Uint32(packed)], packed[4+binary.BigEndian.Uint32(packed):]
	if err = json.Unmarshal(head, &info); err == nil {
		data, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(rest)), MaxSnapshotState+1))
	}
	if err == nil && len(data) > MaxSnapshotState {
		err = fmt.Errorf("it has more than %d bytes", MaxSnapshotState)
	}
	if err != nil {
		return info, nil, errors.Join(ErrSnapshotDamaged, err)
	}
	return info, data, nil
}
