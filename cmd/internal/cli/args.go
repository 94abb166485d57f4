package cli

import "strings"

// JoinNegatives writes "--rate -1" in args as "--rate=-1", where takesValue
// says that the flag, named without its dashes, takes a value: a parser would
// take the number for a flag with one dash, and the user's mistake for another.
func JoinNegatives(args []string, takesValue func(flag string) bool) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		name, long := strings.CutPrefix(args[i], "--")
		if args[i] == "--" { // only arguments follow
			return append(joined, args[i:]...)
		}
		if long && i+1 < len(args) && negative(args[i+1]) && takesValue(name) {
			joined = append(joined, args[i]+"="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

func negative(arg string) bool {
	rest, ok := strings.CutPrefix(arg, "-")
	return ok && rest != "" && (rest[0] == '.' || '0' <= rest[0] && rest[0] <= '9')
}
