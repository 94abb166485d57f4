package wire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestFrameLengths(t *testing.T) {
	tests := []struct {
		n      int
		header []byte
	}{
		{0, []byte{0x81, 0}},
		{125, []byte{0x81, 125}},
		{126, []byte{0x81, 126, 0, 126}},
		{65535, []byte{0x81, 126, 0xff, 0xff}},
		{65536, []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	}
	for _, tt := range tests {
		payload := bytes.Repeat([]byte{'x'}, tt.n)
		got := AppendFrame([]byte("before"), OpText, payload)
		want := append(append([]byte("before"), tt.header...), payload...)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: header % x, want % x", tt.n, got[6:6+len(tt.header)], tt.header)
		}
		if len(tt.header) > MaxFrameHeader {
			t.Errorf("%d bytes: header of %d, MaxFrameHeader is %d", tt.n, len(tt.header), MaxFrameHeader)
		}
	}
}

func TestCloseFrames(t *testing.T) {
	for _, code := range []CloseCode{0, 999, 1004, CloseNoStatus, CloseAbnormal, 1015, 1016, 2999, 5000, 65535} {
		if got := AppendCloseFrame(nil, code); !bytes.Equal(got, []byte{0x88, 0}) {
			t.Errorf("code %d, which may not be sent, became % x", code, got)
		}
	}
	got := AppendCloseFrame(nil, CloseTooSlow)
	want := append([]byte{0x88, 2 + 8, 0x0f, 0xa1}, "too slow"...)
	if !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	for code, reason := range closeReasons {
		if len(reason) > 123 {
			t.Errorf("reason of %d has %d bytes, a control frame holds 123", code, len(reason))
		}
		if !code.Sendable() {
			continue
		}
		frame := AppendCloseFrame(nil, code)
		if int(frame[1]) != len(frame)-2 || binary.BigEndian.Uint16(frame[2:]) != uint16(code) {
			t.Errorf("close frame of %d is % x", code, frame)
		}
	}
}

func TestUnknownCloseCodesShareOneLabel(t *testing.T) {
	for _, code := range []CloseCode{0, 1003, 3000, 4321} {
		if code.String() != "other" {
			t.Errorf("%d is %q", uint16(code), code)
		}
	}
	if s := CloseDraining.String(); strings.Contains(s, "other") {
		t.Errorf("4000 is %q", s)
	}
}
