// Package archtest holds the tests of the architecture: which room may import which, and what the state machine must not
// touch. They read the source only and need no build.
package archtest
