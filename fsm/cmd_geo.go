package fsm

import (
	"strconv"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/geohash"
)

// The geo group of Redis 7.0: sorted sets whose scores are hashes of places.
var geoCommands = []cmd{
	{command.Spec{
		Name: "geoadd", Arity: -5, Flags: command.Write | command.DenyOOM, Group: "geo", Since: "3.2.0",
		Keys:    oneKey(command.RW | command.Update),
		Summary: "Adds members with their places to a sorted set.", Complexity: "O(log(N)) a member, for N members of the set",
	}, geoadd},
	geoRead("geodist", -4, "3.2.0", geodist, "Returns the distance between two members.", "O(log(N)) for N members"),
	geoRead("geohash", -2, "3.2.0", geohashes, "Returns the places of members as texts of 11 characters.", costPlace),
	geoRead("geopos", -2, "3.2.0", geopos, "Returns the longitudes and latitudes of members.", costPlace),
	geoRead("geosearch", -7, "6.2.0", geosearch, "Returns the members in a circle or a box.", costSearch),
	{command.Spec{
		Name: "geosearchstore", Arity: -8, Flags: command.Write | command.DenyOOM, Group: "geo", Since: "6.2.0",
		Keys:    []command.KeySpec{keyAt(1, command.OW|command.Update), keyAt(2, command.RO|command.Access)},
		Summary: "Stores the members in a circle or a box.", Complexity: costSearch,
	}, geosearchstore},
	deprecated(geoRadius("georadius", -6, georadius, "Returns or stores the members in a circle round a place."),
		"6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`"),
	deprecated(geoRadius("georadiusbymember", -5, georadiusbymember, "Returns or stores the members in a circle round a member."),
		"6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`"),
	deprecated(geoRead("georadius_ro", -6, "3.2.10", georadiusRO, "Returns the members in a circle round a place.", costSearch),
		"6.2.0", "`GEOSEARCH` with `BYRADIUS`"),
	deprecated(geoRead("georadiusbymember_ro", -5, "3.2.10", georadiusbymemberRO,
		"Returns the members in a circle round a member.", costSearch), "6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`"),
}

const (
	costPlace  = "O(log(N)) a member, for N members of the set"
	costSearch = "O(log(N)^2 + M) for N members, M of which are in the cells that the area touches"
)

func geoRead(name string, arity int, since string, run Executor, summary, cost string) cmd {
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.ReadOnly, Group: "geo", Since: since,
		Keys: oneKey(command.RO | command.Access), Summary: summary, Complexity: cost,
	}, run}
}

// geoRadius is a command that stores what it finds where it is told to, and so is a write.
func geoRadius(name string, arity int, run Executor, summary string) cmd {
	keys := oneKey(command.RO | command.Access)
	for _, word := range []string{"STORE", "STOREDIST"} {
		keys = append(keys, command.KeySpec{Flags: command.OW | command.Update, Keyword: word, StartFrom: -arity, Step: 1})
	}
	return cmd{command.Spec{
		Name: name, Arity: arity, Flags: command.Write | command.DenyOOM | command.MovableKeys, Group: "geo", Since: "3.2.0",
		Keys: keys, Summary: summary, Complexity: costSearch,
	}, run}
}

func geoadd(tx *Tx, c *command.Call, r command.Reply) {
	var o addOptions
	args := c.Args[2:]
	for len(args) > 0 && o.parseGeo(args[0]) {
		args = args[1:]
	}
	if len(args) == 0 || len(args)%3 != 0 || o.nx && o.xx {
		r.Error(command.ErrSyntax)
		return
	}
	var members [][]byte
	var scores []float64
	for ; len(args) > 0; args = args[3:] {
		p, ok := pointArg(args, r)
		if !ok {
			return
		}
		members, scores = append(members, args[2]), append(scores, float64(geohash.Encode(p)))
	}
	tx.addScores(c.Args[1], members, scores, o, r)
}

// parseGeo reads an option of GEOADD; false: it is none.
func (o *addOptions) parseGeo(opt []byte) bool {
	switch {
	case word(opt, "nx"):
		o.nx = true
	case word(opt, "xx"):
		o.xx = true
	case word(opt, "ch"):
		o.ch = true
	default:
		return false
	}
	return true
}

// pointArg reads a longitude and a latitude. ok is false where an error was replied.
func pointArg(args [][]byte, r command.Reply) (p geohash.Point, ok bool) {
	if p.Lon, ok = doubleArg(args[0], command.ErrNotFloat, r); !ok {
		return p, false
	}
	if p.Lat, ok = doubleArg(args[1], command.ErrNotFloat, r); !ok {
		return p, false
	}
	if !p.Valid() {
		r.Error("ERR invalid longitude,latitude pair " + formatFixed(p.Lon, 6) + "," + formatFixed(p.Lat, 6))
		return p, false
	}
	return p, true
}

// formatFixed prints a double with so many digits behind the point, as C's %f does.
func formatFixed(f float64, digits int) string {
	return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'f', digits, 64), "+"))
}

// place returns where a member is; there may be no set.
func (z *zset) place(member []byte) (p geohash.Point, there bool) {
	score, there := z.score(member)
	if !there {
		return p, false
	}
	return placeOf(score), true
}

func placeOf(score float64) geohash.Point { return geohash.Decode(geohash.FromScore(score)) }

const errUnit = "ERR unsupported unit provided. please use M, KM, FT, MI"

// unitArg reads a unit: how many meters it has. ok is false where an error was replied.
func unitArg(arg []byte, r command.Reply) (meters float64, ok bool) {
	switch {
	case word(arg, "m"):
		return 1, true
	case word(arg, "km"):
		return 1000, true
	case word(arg, "ft"):
		return 0.3048, true
	case word(arg, "mi"):
		return 1609.34, true
	}
	r.Error(errUnit)
	return 0, false
}

// replyDistance writes a distance, as a string in both protocols.
func replyDistance(d float64, r command.Reply) { r.BulkString(formatFixed(d, 4)) }

func replyPlace(p geohash.Point, r command.Reply) {
	r.Array(2)
	r.Decimal(trimmedFixed(p.Lon))
	r.Decimal(trimmedFixed(p.Lat))
}

// trimmedFixed prints a double with 17 digits behind the point, less the zeros at the end.
func trimmedFixed(f float64) string {
	s := strings.TrimRight(strings.TrimRight(formatFixed(f, 17), "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

func geodist(tx *Tx, c *command.Call, r command.Reply) {
	unit := 1.0
	switch {
	case len(c.Args) > 5:
		r.Error(command.ErrSyntax)
		return
	case len(c.Args) == 5:
		var ok bool
		if unit, ok = unitArg(c.Args[4], r); !ok {
			return
		}
	}
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	a, thereA := z.place(c.Args[2])
	b, thereB := z.place(c.Args[3])
	if !thereA || !thereB {
		r.Null()
		return
	}
	replyDistance(geohash.Distance(a, b)/unit, r)
}

func geohashes(tx *Tx, c *command.Call, r command.Reply) {
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	r.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if p, there := z.place(member); there {
			r.BulkString(geohash.Text(p))
		} else {
			r.Null()
		}
	}
}

func geopos(tx *Tx, c *command.Call, r command.Reply) {
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	r.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if p, there := z.place(member); there {
			replyPlace(p, r)
		} else {
			r.NullArray()
		}
	}
}
