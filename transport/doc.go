// Package transport carries bytes between nodes: one TCP port a node, on it the streams of hashicorp/raft (log entries on
// streams and in an encoding of their own) and multiplexed node-to-node calls, every connection mutually authenticated
// before the first byte reaches either. It knows nothing of the state machine, the cluster or the Redis protocol.
//
// # Who may connect
//
// Config.Secret (masterauth) makes both sides prove by HMAC-SHA256 that they know it; the secret itself is never sent.
// Config.TLS makes both sides present certificates of one CA. With both, the proofs are bound to the TLS session, so a
// party in the middle cannot relay them. With neither, Listen binds loopback addresses only (ErrInsecure).
//
// The secret alone authenticates who is at the other end when a connection is made; it neither hides nor protects
// what is sent afterwards, and whoever a node can be made to dial may try to guess a weak secret offline. Use a long
// random secret, and TLS wherever the network is not trusted.
//
// # A connection
//
//	dialer                                             acceptor
//	  | ---- prefix: magic F5 'R' 'D' 'T', version u8 ----> |   anything else is closed after these five bytes
//	  | ---- hello: flags, purpose, nonce, identity ------> |
//	  | <--- prefix, hello -------------------------------- |
//	  | ---- proof (dialer's role label) -----------------> |   the acceptor proves nothing before this one holds
//	  | <--- proof (acceptor's role label), accept -------- |   ... and its Verify has said yes
//	  | ---- accept --------------------------------------> |   after the dialer's Verify
//	  |      raft stream, append stream, frames of calls    |
//
// Every message after the prefix is `type u8, length u16 LE, body`; either side may send a refusal (code u8, text)
// instead and close. See handshake.go, frame.go and appendwrite.go for the drawings.
//
// # Concurrency
//
// A Transport is safe for use by any number of goroutines. Listen starts it; Close stops it, waits for its goroutines
// (handlers included) and may be called twice, but not from a handler or a done function.
package transport
