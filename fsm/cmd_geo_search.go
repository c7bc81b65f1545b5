package fsm

import (
	"cmp"
	"slices"

	"github.com/redoubtdb/redoubt/fsm/command"
	"github.com/redoubtdb/redoubt/fsm/internal/geohash"
	"github.com/redoubtdb/redoubt/fsm/internal/ranked"
)

// geoQuery is what GEOSEARCH and its like ask for.
type geoQuery struct {
	free     bool // the area is given by options
	mayStore bool // STORE and STOREDIST are options

	area                       geohash.Area
	fromMember, fromPlace      bool
	byRadius, byBox            bool
	unit                       float64 // meters
	withDist, withHash, withAt bool
	count                      int64 // 0: all
	any                        bool  // the first that are found will do
	order                      int   // 1: from the nearest on, -1: from the farthest, 0: as they are found
	store                      []byte
	storeDist                  bool
}

func georadius(tx *Tx, c *command.Call, r command.Reply)   { tx.aroundPlace(c, true, r) }
func georadiusRO(tx *Tx, c *command.Call, r command.Reply) { tx.aroundPlace(c, false, r) }

func georadiusbymember(tx *Tx, c *command.Call, r command.Reply)   { tx.aroundMember(c, true, r) }
func georadiusbymemberRO(tx *Tx, c *command.Call, r command.Reply) { tx.aroundMember(c, false, r) }

func (tx *Tx) aroundPlace(c *command.Call, mayStore bool, r command.Reply) {
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	q := geoQuery{mayStore: mayStore}
	if q.setCenter(c.Args[2:4], r) && q.setRadius(c.Args[4:6], r) {
		tx.geoSearch(c, z, &q, c.Args[6:], r)
	}
}

// aroundMember does not look at the radius where there is no key, as Redis does not.
func (tx *Tx) aroundMember(c *command.Call, mayStore bool, r command.Reply) {
	_, z, ok := find[*zset](tx, c.Args[1], r)
	if !ok {
		return
	}
	q := geoQuery{mayStore: mayStore}
	if z == nil || q.setMember(z, c.Args[2], r) && q.setRadius(c.Args[3:5], r) {
		tx.geoSearch(c, z, &q, c.Args[5:], r)
	}
}

func geosearch(tx *Tx, c *command.Call, r command.Reply) {
	if _, z, ok := find[*zset](tx, c.Args[1], r); ok {
		tx.geoSearch(c, z, &geoQuery{free: true}, c.Args[2:], r)
	}
}

func geosearchstore(tx *Tx, c *command.Call, r command.Reply) {
	if _, z, ok := find[*zset](tx, c.Args[2], r); ok {
		tx.geoSearch(c, z, &geoQuery{free: true, store: c.Args[1]}, c.Args[3:], r)
	}
}

// geoSearch reads the options and does what they say. z may be nil.
func (tx *Tx) geoSearch(c *command.Call, z *zset, q *geoQuery, options [][]byte, r command.Reply) {
	if !q.parse(z, options, r) {
		return
	}
	if why := q.conflict(c); why != "" {
		r.Error(why)
		return
	}
	var found []geoPlace
	if z != nil {
		found = q.search(z)
	}
	if q.store == nil {
		q.reply(found, r)
		return
	}
	event := "georadiusstore"
	if q.free {
		event = "geosearchstore"
	}
	tx.storeEntries(q.store, q.entries(found), event, r)
}

func (q *geoQuery) setCenter(args [][]byte, r command.Reply) (ok bool) {
	q.area.Center, ok = pointArg(args, r)
	return ok
}

func (q *geoQuery) setMember(z *zset, member []byte, r command.Reply) (ok bool) {
	if q.area.Center, ok = z.place(member); !ok {
		r.Error("ERR could not decode requested zset member")
	}
	return ok
}

func (q *geoQuery) setRadius(args [][]byte, r command.Reply) bool {
	radius, ok := doubleArg(args[0], "ERR need numeric radius", r)
	switch {
	case !ok:
		return false
	case radius < 0:
		r.Error("ERR radius cannot be negative")
		return false
	}
	q.unit, ok = unitArg(args[1], r)
	q.area.Box, q.area.Radius = false, radius*q.unit
	return ok
}

func (q *geoQuery) setBox(args [][]byte, r command.Reply) bool {
	width, ok := doubleArg(args[0], "ERR need numeric width", r)
	if !ok {
		return false
	}
	height, ok := doubleArg(args[1], "ERR need numeric height", r)
	switch {
	case !ok:
		return false
	case width < 0 || height < 0:
		r.Error("ERR height or width cannot be negative")
		return false
	}
	q.unit, ok = unitArg(args[2], r)
	q.area.Box, q.area.Width, q.area.Height = true, width*q.unit, height*q.unit
	return ok
}

func (q *geoQuery) parse(z *zset, args [][]byte, r command.Reply) bool {
	for len(args) > 0 {
		n, ok := q.option(args, r)
		if n == 0 && ok && q.free {
			n, ok = q.areaOption(z, args, r)
		}
		if n == 0 && ok {
			r.Error(command.ErrSyntax)
		}
		if n == 0 || !ok {
			return false
		}
		args = args[n:]
	}
	return true
}

// option reads an option and says how many arguments it has taken; 0: it is none of these. ok is false where an error was
// replied.
func (q *geoQuery) option(args [][]byte, r command.Reply) (n int, ok bool) {
	opt, more := args[0], len(args) > 1
	switch {
	case word(opt, "withdist"):
		q.withDist = true
	case word(opt, "withhash"):
		q.withHash = true
	case word(opt, "withcoord"):
		q.withAt = true
	case word(opt, "any"):
		q.any = true
	case word(opt, "asc"):
		q.order = 1
	case word(opt, "desc"):
		q.order = -1
	case word(opt, "storedist") && q.free && q.store != nil:
		q.storeDist = true
	case word(opt, "count") && more:
		if q.count, ok = intArg(args[1], r); !ok {
			return 0, false
		}
		if q.count <= 0 {
			r.Error("ERR COUNT must be > 0")
			return 0, false
		}
		return 2, true
	case (word(opt, "store") || word(opt, "storedist")) && q.mayStore && more:
		q.store, q.storeDist = args[1], word(opt, "storedist")
		return 2, true
	default:
		return 0, true
	}
	return 1, true
}

// areaOption is option for those that say where to search. One may be given again, but not the other beside it.
func (q *geoQuery) areaOption(z *zset, args [][]byte, r command.Reply) (n int, ok bool) {
	switch opt, more := args[0], len(args)-1; {
	case word(opt, "frommember") && more >= 1 && !q.fromPlace:
		q.fromMember = true
		return 2, z == nil || q.setMember(z, args[1], r)
	case word(opt, "fromlonlat") && more >= 2 && !q.fromMember:
		q.fromPlace = true
		return 3, q.setCenter(args[1:], r)
	case word(opt, "byradius") && more >= 2 && !q.byBox:
		q.byRadius = true
		return 3, q.setRadius(args[1:], r)
	case word(opt, "bybox") && more >= 3 && !q.byRadius:
		q.byBox = true
		return 4, q.setBox(args[1:], r)
	}
	return 0, true
}

// conflict says what is wrong with the options together; "": nothing.
func (q *geoQuery) conflict(c *command.Call) string {
	with := q.withDist || q.withHash || q.withAt
	switch {
	case q.store != nil && with && q.free:
		return "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
	case q.store != nil && with:
		return "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
	case q.free && !q.fromMember && !q.fromPlace:
		return "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + string(c.Args[0])
	case q.free && !q.byRadius && !q.byBox:
		return "ERR exactly one of BYRADIUS and BYBOX can be specified for " + string(c.Args[0])
	case q.any && q.count == 0:
		return "ERR the ANY argument requires COUNT argument"
	}
	return ""
}

// geoPlace is a member that was found.
type geoPlace struct {
	ranked.Entry
	at   geohash.Point
	dist float64 // from the center, in the unit asked for
}

// search returns the places that the query asks for, in order.
func (q *geoQuery) search(z *zset) []geoPlace {
	found := q.walk(z)
	order := q.order
	if order == 0 && q.count > 0 && !q.any {
		order = 1 // the nearest are meant
	}
	if order != 0 {
		slices.SortStableFunc(found, func(a, b geoPlace) int { return order * cmp.Compare(a.dist, b.dist) })
	}
	if q.count > 0 {
		found = found[:min(q.count, int64(len(found)))]
	}
	return found
}

// walk looks through the cells of the area.
func (q *geoQuery) walk(z *zset) (found []geoPlace) {
	for _, cell := range q.area.Scores() {
		from := z.members.Until(0, func(e ranked.Entry) bool { return e.Score >= cell.From })
		for e := range z.members.Ascend(from) {
			if e.Score >= cell.To {
				break
			}
			if q.any && int64(len(found)) >= q.count {
				return found
			}
			at := placeOf(e.Score)
			if meters, within := q.area.Distance(at); within {
				found = append(found, geoPlace{e, at, meters / q.unit})
			}
		}
	}
	return found
}

// entries are the places as a sorted set stores them.
func (q *geoQuery) entries(found []geoPlace) []ranked.Entry {
	out := make([]ranked.Entry, len(found))
	for i, p := range found {
		out[i] = p.Entry
		if q.storeDist {
			out[i].Score = p.dist
		}
	}
	return sorted(out)
}

func (q *geoQuery) reply(found []geoPlace, r command.Reply) {
	r.Array(len(found))
	with := boolInt(q.withDist) + boolInt(q.withHash) + boolInt(q.withAt)
	for _, p := range found {
		if with > 0 {
			r.Array(1 + int(with))
		}
		r.BulkString(p.Member)
		if q.withDist {
			replyDistance(p.dist, r)
		}
		if q.withHash {
			r.Int(int64(p.Score))
		}
		if q.withAt {
			replyPlace(p.at, r)
		}
	}
}
