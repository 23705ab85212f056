// Package oracle compares what package sip reads in SIP messages with what github.com/emiago/sipgo
// reads, which is a whole SIP stack. It has only tests, and is a module of its own so that the
// product does not depend on that stack.
package oracle
