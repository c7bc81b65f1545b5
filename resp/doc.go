// Package resp is the RESP facade: it speaks Redis with clients and hands what they ask to a Backend, the Raft node.
//
// Server accepts connections; each has one goroutine (conn.serve) that reads commands (Reader), passes them through
// the one gate (dispatch) and writes replies (Writer). A run of write commands becomes one proposal, a run of read
// commands one confirmed read, so a pipeline pays one commit, not one a command. Replies are sent in order when the
// pipeline is answered or the buffer has grown large.
//
// While a proposal is under way its connection waits and the apply path owns the connection's Writer: that is the only
// hand-over of memory between goroutines. Everything else of a connection that others may look at (CLIENT LIST, KILL)
// is atomic or under conn.mu.
//
// What a command is comes from the table (package fsm/command); what the connection and server commands do stands in
// cmd_<theme>.go beside their lines of the table.
package resp
