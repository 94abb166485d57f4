package wire

import "time"

// LogMillis parses a time of the log, in RFC 3339 as JetStream writes it, to ms
// since 1970; 0 if it is invalid.
func LogMillis(text string) int64 {
	if at, ok := utcMillis(text); ok {
		return at
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0
	}
	return at.UnixMilli()
}

// utcMillis reads 2006-01-02T15:04:05.999999999Z, which is how the log writes
// times; its fraction may be shorter, or left out. That takes a third of what
// time.Parse does, for which everything else is, also what is no time.
func utcMillis(text string) (at int64, ok bool) {
	const fraction = len("2006-01-02T15:04:05.")
	if len(text) < fraction || len(text) == fraction+1 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' ||
		text[fraction-1] != '.' && len(text) > fraction || text[len(text)-1] != 'Z' {
		return 0, false
	}
	var wrong byte // its highest bit: what should be a digit is none
	digit := func(i int) int {
		d := text[i] - '0'
		wrong |= d | (9 - d)
		return int(d)
	}
	two := func(i int) int { return 10*digit(i) + digit(i+1) }
	year, month, day := 100*two(0)+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	milli, scale := 0, 100
	for i := fraction; i < len(text)-1; i++ {
		milli += digit(i) * scale
		scale /= 10
	}
	// A day that every month has; the few others take the other way.
	if wrong >= 0x80 || month == 0 || month > 12 || day == 0 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds := ((daysTo(year, month, day)*24+hour)*60+minute)*60 + second
	return int64(seconds)*1000 + int64(milli), true
}

// daysTo is how many days after 1970-01-01 a date is, in the Gregorian calendar
// and for years from 0. A year that begins in March has its leap day at its
// end.
func daysTo(year, month, day int) int {
	if month <= 2 {
		year, month = year-1, month+12
	}
	if year < 0 {
		year, day = year+400, day-146097
	}
	return 365*year + year/4 - year/100 + year/400 + (153*month-457)/5 + day - 719469
}
