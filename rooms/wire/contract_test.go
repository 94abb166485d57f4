package wire

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The contract is README.md. That its examples are what the server does is tested where there is a server; here, that none is missing.

func contract(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the part of the contract under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(contract(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

func TestContractHasEveryErrorCode(t *testing.T) {
	text := section(t, "Errors")
	for _, code := range allCodes(t) {
		retryable := map[bool]string{true: "yes", false: "no"}[code.Retryable()]
		if row := fmt.Sprintf("\n| `%s` | %s |", code, retryable); !strings.Contains(text, row) {
			t.Errorf("README.md has no row %q", row[1:])
		}
	}
}

func TestContractHasEveryCloseCode(t *testing.T) {
	text := section(t, "Close codes")
	for _, code := range allCloseCodes(t) {
		if code == CloseNoStatus { // what a program sees where there was none
			continue
		}
		row := regexp.MustCompile(fmt.Sprintf(`\n\| %d \| [^|]+ \| (yes|no) \|`, code)).FindStringSubmatch(text)
		if row == nil || (row[1] == "yes") != code.Reconnect() {
			t.Errorf("README.md has no row of %d with reconnect %v: %q", uint16(code), code.Reconnect(), row)
		}
	}
}

// Each type of ours has an example in each of its directions.
func TestContractHasEveryType(t *testing.T) {
	text := contract(t)
	for typ, arrows := range typesOf(t) {
		for _, arrow := range arrows {
			if !strings.Contains(text, fmt.Sprintf(` %s {"type":"%s"`, arrow, typ)) {
				t.Errorf("README.md has no example %s of %s", arrow, typ)
			}
		}
	}
}

// typesOf are the types in types.go with their directions: the first group is sent by clients, the second by the server.
func typesOf(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	types := make(map[string][]string)
	arrows := []string{"→", "←"}
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST || len(arrows) == 0 {
			continue
		}
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec)
			typ, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			types[typ] = arrows[:1]
			if value.Comment != nil && strings.Contains(value.Comment.Text(), "both directions") {
				types[typ] = []string{"→", "←"}
			}
		}
		arrows = arrows[1:]
	}
	if len(types) < 19 || len(arrows) != 0 {
		t.Fatalf("types.go has only %d types: %v", len(types), types)
	}
	return types
}
