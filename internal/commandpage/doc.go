// Package commandpage makes docs/COMMANDS.md from the table of all commands: which there are, what differs from Redis 7.0,
// and which of Redis 7.0's are not there and why. A test holds the page to the table:
//
//	go test ./internal/commandpage -rewrite
//
// writes it anew. Page is a pure function of the table; what the table cannot say stands in notes.go and redis.go.
package commandpage
