// Package budget says how much somebody may still do: leaky buckets, and tables
// of the accounts that several connections share.
//
// It has no clock: the time is given, as a duration from a beginning that all
// calls share.
package budget
