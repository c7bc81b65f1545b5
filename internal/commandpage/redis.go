package commandpage

import "strings"

// redisCommands are the names of Redis 7.0's commands by group, in the order of the page. Subcommands stand behind their
// container, in brackets.
const redisCommands = `
string: append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex
	setnx setrange strlen substr
generic: copy del dump exists expire expireat expiretime keys migrate move object[encoding freq help idletime refcount]
	persist pexpire pexpireat pexpiretime pttl randomkey rename renamenx restore scan sort sort_ro touch ttl type unlink wait
hash: hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals
list: blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim
	rpop rpoplpush rpush rpushx
set: sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem
	sscan sunion sunionstore
sorted-set: bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount
	zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex
	zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
stream: xack xadd xautoclaim xclaim xdel xgroup[create createconsumer delconsumer destroy help setid]
	xinfo[consumers groups help stream] xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim
bitmap: bitcount bitfield bitfield_ro bitop bitpos getbit setbit
hyperloglog: pfadd pfcount pfdebug pfmerge pfselftest
geo: geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
pubsub: psubscribe publish pubsub[channels help numpat numsub shardchannels shardnumsub] punsubscribe spublish ssubscribe
	subscribe sunsubscribe unsubscribe
transactions: discard exec multi unwatch watch
scripting: eval eval_ro evalsha evalsha_ro fcall fcall_ro function[delete dump flush help kill list load restore stats]
	script[debug exists flush help kill load]
connection: auth client[caching getname getredir help id info kill list no-evict pause reply setname tracking trackinginfo
	unblock unpause] echo hello ping quit reset select
server: acl[cat deluser dryrun genpass getuser help list load log save setuser users whoami] bgrewriteaof bgsave
	command[count docs getkeys getkeysandflags help info list] config[get help resetstat rewrite set] dbsize debug failover
	flushall flushdb info lastsave latency[doctor graph help histogram history latest reset] lolwut
	memory[doctor help malloc-stats purge stats usage] module[help list load loadex unload] monitor psync replconf replicaof
	restore-asking role save shutdown slaveof slowlog[get help len reset] swapdb sync time
cluster: asking cluster[addslots addslotsrange bumpepoch count-failure-reports countkeysinslot delslots delslotsrange
	failover flushslots forget getkeysinslot help info keyslot links meet myid nodes replicas replicate reset saveconfig
	set-config-epoch setslot shards slaves slots] readonly readwrite
`

// newerCommands are those of later Redis that are here, in the same form.
const newerCommands = `
hash: hexpire hexpireat hexpiretime hgetdel hgetex hpersist hpexpire hpexpireat hpexpiretime hpttl hsetex httl
string: delex digest msetex
stream: xackdel xdelex
`

// group is one of Redis's groups with its commands, a subcommand as "container|sub".
type group struct {
	name     string
	commands []string
}

func redisGroups() []group { return parseGroups(redisCommands) }

func newerGroups() []group { return parseGroups(newerCommands) }

// parseGroups reads redisCommands and its like.
func parseGroups(text string) []group {
	var out []group
	container := ""
	for _, w := range strings.Fields(text) {
		if name, ok := strings.CutSuffix(w, ":"); ok {
			out = append(out, group{name: name})
			continue
		}
		g := &out[len(out)-1]
		name, first, opens := strings.Cut(w, "[")
		if opens {
			container = name
			g.commands = append(g.commands, name)
			w = first
		}
		sub, closes := strings.CutSuffix(w, "]")
		if container != "" {
			sub = container + "|" + sub
		}
		g.commands = append(g.commands, sub)
		if closes {
			container = ""
		}
	}
	return out
}
