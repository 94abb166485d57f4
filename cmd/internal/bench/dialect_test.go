package bench

import "testing"

func TestKindOf(t *testing.T) {
	for _, tc := range []struct {
		d    dialect
		text string
		want kind
	}{
		{roomdDialect, `{"type":"new_messages","room":"r"}`, other},
		{roomdDialect, `{"type":"ack","id":"1","room":"r","seq":1,"payload":{"duplicate":false}}`, acked},
		{roomdDialect, `{"type":"room_joined","room":"r","payload":{"room_id":"r"}}`, joined},
		{roomdDialect, `{"type":"room_joined","room":"@me","payload":{"room_id":"@me"}}`, other},
		{roomdDialect, `{"type":"room_left","room":"r","payload":{}}`, left},
		{roomdDialect, `{"type":"presence","room":"r","payload":{}}`, presence},
		{roomdDialect, `{"type":"error","id":"1","payload":{"code":"busy","message":"x","retryable":true}}`, refused},
		{roomdDialect, `{"type":"welcome","payload":{}}`, other},
		{roomdDialect, `{"type":"new_mess`, other},
		{roomdDialect, `2`, other},
		{roomdDialect, ``, other},
		{plainDialect, `{"type":"room_joined","payload":{}}`, joined},
		{socketIODialect, `0{"sid":"x","upgrades":[],"pingInterval":25000}`, opened},
		{socketIODialect, `40{"sid":"x"}`, other},
		{socketIODialect, `2`, heartbeat},
		{socketIODialect, `42["room_joined",{}]`, joined},
		{socketIODialect, `44{"message":"no"}`, refused},
		{socketIODialect, `{"type":"new_message"}`, other},
		{socketIODialect, ``, other},
	} {
		if got := tc.d.kindOf([]byte(tc.text)); got != tc.want {
			t.Errorf("%s is %d, want %d", tc.text, got, tc.want)
		}
	}
}

func TestRetryable(t *testing.T) {
	for text, want := range map[string]bool{
		`{"type":"error","payload":{"code":"busy","retryable":true}}`:        true,
		`{"type":"error","payload":{"code":"bad_room","retryable":false}}`:   false,
		`{"type":"error","payload":{"message":"say \"retryable\":true no"}}`: false,
	} {
		if got := retryable(&refusal{text}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestIsMessage(t *testing.T) {
	const sent = `{"type":"send_message","payload":{"message":"x"}}`
	const plain, socket = `{"type":"new_message","room":"r","seq":1,"payload":{"message":"x"}}`, `42["new_message",{"type":"new_message"}]`
	for _, tc := range []struct {
		d    dialect
		text string
		want bool
	}{
		{roomdDialect, plain, true}, {plainDialect, plain, true}, {socketIODialect, socket, true},
		{echoDialect, sent, true}, {echoDialect, plain, false}, {plainDialect, sent, false},
		{roomdDialect, socket, false}, {socketIODialect, plain, false}, {roomdDialect, `{"type":"new_messages"}`, false}, {roomdDialect, ``, false},
	} {
		if got := tc.d.isMessage([]byte(tc.text)); got != tc.want {
			t.Errorf("%s: %v", tc.text, got)
		}
	}
}
