// Package budget limits rates: by leaky buckets, and tables of the accounts
// that several connections share.
//
// It has no clock: the time is an argument, as a duration since an instant that
// is the same for all calls.
package budget
