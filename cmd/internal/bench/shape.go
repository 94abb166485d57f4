package bench

import (
	"slices"
	"strings"
)

// Shapes: what the messages of a load are made of.
const (
	Plain  = "plain"
	Braces = "braces"
	Nested = "nested"
	CJK    = "cjk"
	Long   = "4k"
	Full   = "16k"
)

var shapeNames = []string{Plain, Braces, Nested, CJK, Long, Full}

// maxText is the longest text: with what is around it, a message is below the
// 16 KiB that all servers here take.
const maxText = 16<<10 - 128

// textSize is how long the texts of a shape are, unless the load says.
func textSize(shape string) int {
	switch shape {
	case Long:
		return 4 << 10
	case Full:
		return maxText
	}
	return 128
}

// sized reports whether the name of a shape is a size.
func sized(shape string) bool { return shape == Long || shape == Full }

func knownShape(shape string) bool { return slices.Contains(shapeNames, shape) }

// shapedText is a text of size bytes with room for the stamp at its beginning,
// which makes every message different from all others. No shape needs an
// escape, so that every server writes a text as long as it came.
func shapedText(shape string, size int) string {
	filler := "x"
	switch shape {
	case Braces:
		filler = "{player} 9 : {banker} 8 [tie] }{ "
	case CJK:
		filler = "莊家贏了,閒家輸了。"
	}
	space := size - stampChars
	text := strings.Repeat(filler, space/len(filler))
	for _, r := range filler { // whole characters only
		if len(text)+len(string(r)) > space {
			break
		}
		text += string(r)
	}
	return strings.Repeat(" ", stampChars) + text + strings.Repeat("x", space-len(text))
}

// beside is what the payload of a shape has besides the text. The servers here
// read it and pass on only the text.
func beside(shape string) string {
	if shape == Nested {
		return `,"data":{"deals":[{"seat":7,"cards":["TD","9S"],"won":true},{"seat":8,"cards":["AC"],"odds":{"tie":8,"banker":0.95}}]}`
	}
	return ""
}
