package command

// EventClass is a class of what the state machine tells its node of, or a set of classes.
type EventClass uint32

// The classes of Redis 7.0's keyspace events, with their letters in notify-keyspace-events, the messages of PUBLISH and
// SPUBLISH, and what clients are told who keep copies of values (CLIENT TRACKING).
const (
	EventGeneric EventClass = 1 << iota // g
	EventString                         // $
	EventList                           // l
	EventSet                            // s
	EventHash                           // h
	EventZset                           // z
	EventExpired                        // x
	EventEvicted                        // e
	EventStream                         // t
	EventMiss                           // m
	EventNew                            // n
	EventMessage
	EventShardMessage
	// EventChange: a key was changed, or removed. EventFlush: any key may have been, in any database.
	EventChange
	EventFlush
	// EventRead: a read command in an entry is about to look at a key. It is told only where somebody waits for the reply.
	EventRead
)

// EventMessages and EventTracking are the classes that are no keyspace events.
const (
	EventMessages = EventMessage | EventShardMessage
	EventTracking = EventChange | EventFlush | EventRead
)

// Event says that something was done to a key, which is what Redis's keyspace notifications tell, or that a message was
// published.
type Event struct {
	Class EventClass
	Name  string // "hset"; empty for messages and EventTracking
	DB    int
	Key   string // of a message: its channel
	// Message is what was published, empty for other events.
	Message string
	// By, of EventTracking, is the Reply of the call that has done it, by which a node knows its own clients. It is nil
	// where no call has, as where a key has expired.
	By Reply
}

// Publisher is a Reply that knows how many clients of its node have got a message.
type Publisher interface {
	Reply
	// Published replies the number of clients that the message told last has gone to. It is called where the log is
	// applied, right after the listener was told of that message.
	Published()
}
