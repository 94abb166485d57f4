package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// checkNames says what is wrong with the names in JSON that is to become a t.
// encoding/json takes the last of two fields of one name, and "Amount" for
// "amount"; a reader beside it, such as a publish hook, may take another one. So
// no name may be there twice, in no object, and a field is named exactly: by its
// tag, or else by its Go name with a small beginning. "" is nothing.
func checkNames(data []byte, t reflect.Type) string {
	if len(data) == 0 || data[0] != '{' && data[0] != '[' || !json.Valid(data) {
		return "" // it has no names, or is refused for what it is
	}
	r := nameReader{json.NewDecoder(bytes.NewReader(data))}
	return r.value(t, nil)
}

// nameReader reads JSON that is valid, so that its decoder has no errors.
type nameReader struct{ from *json.Decoder }

func (r nameReader) next() json.Token {
	token, _ := r.from.Token() // valid
	return token
}

// value reads what is to become a t; nil is nothing that is known.
func (r nameReader) value(t reflect.Type, path []string) (wrong string) {
	switch open := r.next(); open {
	case json.Delim('{'):
		wrong = r.object(t, path)
	case json.Delim('['):
		inner := innerType(t, reflect.Slice, reflect.Array)
		for wrong == "" && r.from.More() {
			wrong = r.value(inner, path)
		}
	default:
		return ""
	}
	if wrong == "" {
		r.next() // the end
	}
	return wrong
}

func (r nameReader) object(t reflect.Type, path []string) (wrong string) {
	seen := make(map[string]struct{})
	for wrong == "" && r.from.More() {
		name, _ := r.next().(string) // always one
		at := append(slices.Clip(path), name)
		if _, twice := seen[name]; twice {
			return strings.Join(at, ".") + " is there twice; write it once"
		}
		seen[name] = struct{}{}
		field, ours := fieldOf(t, name)
		if ours != name {
			return fmt.Sprintf("write %s, not %s", strings.Join(append(slices.Clip(path), ours), "."), strings.Join(at, "."))
		}
		wrong = r.value(field, at)
	}
	return wrong
}

// fieldOf returns the type of what encoding/json takes a name in an object for, and
// the name that it should have; nil and the name itself, if that is for nothing.
func fieldOf(t reflect.Type, name string) (field reflect.Type, ours string) {
	if inner := innerType(t, reflect.Map); inner != nil {
		return inner, name
	}
	if t = readByField(t); t == nil || t.Kind() != reflect.Struct {
		return nil, name
	}
	ours = name
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("json")
		tagged, _, _ := strings.Cut(tag, ",")
		switch {
		case !f.IsExported(), tag == "-", f.Anonymous && tagged == "" && f.Type.Kind() == reflect.Struct:
			continue
		case tagged == "":
			tagged = smallBeginning(f.Name)
		}
		if tagged == name {
			return f.Type, name
		}
		if strings.EqualFold(tagged, name) {
			field, ours = f.Type, tagged
		}
	}
	return field, ours
}

// innerType is that of the elements of a type of one of these kinds; nil: it is of
// none.
func innerType(t reflect.Type, kinds ...reflect.Kind) reflect.Type {
	if t = readByField(t); t == nil || !slices.Contains(kinds, t.Kind()) {
		return nil
	}
	return t.Elem()
}

// readByField is a type without its pointers; nil if it reads itself.
func readByField(t reflect.Type) reflect.Type {
	reads := reflect.TypeFor[json.Unmarshaler]()
	for t != nil {
		switch {
		case t.Implements(reads), reflect.PointerTo(t).Implements(reads):
			return nil
		case t.Kind() != reflect.Pointer:
			return t
		}
		t = t.Elem()
	}
	return nil
}

// smallBeginning is the name of a field as it is written: Amount is amount, ID is
// id, TableID is tableID, and URLPath is urlPath.
func smallBeginning(name string) string {
	letters := []rune(name)
	for i, c := range letters {
		if !unicode.IsUpper(c) || i > 0 && i+1 < len(letters) && unicode.IsLower(letters[i+1]) {
			break
		}
		letters[i] = unicode.ToLower(c)
	}
	return string(letters)
}
