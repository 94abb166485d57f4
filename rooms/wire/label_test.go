package wire

import (
	"strings"
	"testing"
)

func TestCleanLabel(t *testing.T) {
	long := `"` + strings.Repeat("x", MaxLabelBytes-2) + `"`
	deep := strings.Repeat("[", MaxLabelDepth) + strings.Repeat("]", MaxLabelDepth)
	for _, tc := range []struct{ raw, want, code string }{
		{raw: ""}, {raw: " \n"}, {raw: "null"}, {raw: " null "},
		{raw: `"open"`, want: `"open"`},
		{raw: " { \"title\" : \"百 家\",\n\"stakes\":[1, 2] } ", want: `{"title":"百 家","stakes":[1,2]}`},
		{raw: "false", want: "false"}, {raw: "0", want: "0"},
		{raw: long, want: long}, {raw: "  " + long + "  ", want: long},
		{raw: deep, want: deep},
		{raw: long[:len(long)-1] + `x"`, code: "bad_payload"},
		{raw: "[" + deep + "]", code: "bad_payload"},
		{raw: "{", code: "bad_payload"}, {raw: "open", code: "bad_payload"}, {raw: `1 2`, code: "bad_payload"}, {raw: "\"\xff\"", code: "bad_payload"},
		{raw: "1e308", want: "1e308"}, {raw: "1e999999", code: "bad_payload"}, {raw: `{"a":[-1e999]}`, code: "bad_payload"},
		{raw: `"\ud83d\ude00"`, want: `"\ud83d\ude00"`}, {raw: `"\ud800"`, code: "bad_payload"}, {raw: `[{"\udc00":1}]`, code: "bad_payload"},
	} {
		got, err := CleanLabel([]byte(tc.raw))
		code := ""
		if err != nil {
			code = string(AsError(err).Code)
		}
		if string(got) != tc.want || code != tc.code {
			t.Errorf("%.60q becomes %s, %v; want %s, %s", tc.raw, got, err, tc.want, tc.code)
		}
	}
}
