package resp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redoubtdb/redoubt/fsm/command"
)

// trackingOptions are CLIENT TRACKING's.
type trackingOptions struct {
	redirect                     *conn
	bcast, optin, optout, noloop bool
	prefixes                     []string
}

// One connection may have so many prefixes, of so many bytes together: they are compared with one another.
const (
	prefixesMax    = 1024
	prefixBytesMax = 1 << 20
)

// added are the prefixes that a connection in the mode BCAST gets: none stands for all keys.
func (o *trackingOptions) added() []string {
	if o.bcast && len(o.prefixes) == 0 {
		return []string{""}
	}
	return o.prefixes
}

func (c *conn) parseTracking(args [][]byte) (o trackingOptions, errText string) {
	for i := 0; i < len(args); i++ {
		switch more := i+1 < len(args); {
		case word(args[i], "redirect") && more:
			i++
			if o.redirect != nil {
				return o, "ERR A client can only redirect to a single other client"
			}
			id, ok := ParseInt64(args[i])
			if !ok {
				return o, command.ErrNotInteger
			}
			if o.redirect = c.srv.conn(id); o.redirect == nil {
				return o, "ERR The client ID you want redirect to does not exist"
			}
		case word(args[i], "bcast"):
			o.bcast = true
		case word(args[i], "optin"):
			o.optin = true
		case word(args[i], "optout"):
			o.optout = true
		case word(args[i], "noloop"):
			o.noloop = true
		case word(args[i], "prefix") && more:
			i++
			o.prefixes = append(o.prefixes, string(args[i]))
		default:
			return o, command.ErrSyntax
		}
	}
	return o, ""
}

// refuse says what of the options does not go together, or with those that the connection has.
func (o *trackingOptions) refuse(is *tracking) string {
	switch {
	case !o.bcast && len(o.prefixes) > 0:
		return "ERR PREFIX option requires BCAST mode to be enabled"
	case is != nil && is.bcast != o.bcast:
		return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	case o.bcast && (o.optin || o.optout):
		return "ERR OPTIN and OPTOUT are not compatible with BCAST"
	case o.optin && o.optout:
		return "ERR You can't specify both OPTIN mode and OPTOUT mode"
	case is != nil && (o.optin && is.optout || o.optout && is.optin):
		return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	}
	return o.refusePrefixes(is)
}

func (o *trackingOptions) refusePrefixes(is *tracking) string {
	var had []string
	count, bytes := len(o.prefixes), 0
	if is != nil {
		had = slices.Sorted(maps.Keys(is.prefixes))
		count, bytes = count+len(had), is.prefixBytes
	}
	for _, p := range o.prefixes {
		bytes += len(p)
	}
	if count > prefixesMax || bytes > prefixBytesMax {
		return fmt.Sprintf("ERR a connection may have %d prefixes of %d bytes together", prefixesMax, prefixBytesMax)
	}
	for i, p := range o.prefixes {
		if at := slices.IndexFunc(had, func(h string) bool { return overlap(p, h) }); at >= 0 {
			return "ERR Prefix '" + p + "' overlaps with an existing prefix '" + had[at] + "'." + prefixesApart
		}
		for _, other := range o.prefixes[i+1:] {
			if overlap(p, other) {
				return "ERR Prefix '" + p + "' overlaps with another provided prefix '" + other + "'." + prefixesApart
			}
		}
	}
	return ""
}

const prefixesApart = " Prefixes for a single client must not overlap."

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

func clientTracking(c *conn, args [][]byte) {
	o, errText := c.parseTracking(args[3:])
	if errText != "" {
		c.w.Error(errText)
		return
	}
	on, ok := c.onOff(args[2])
	if !ok {
		return
	}
	if !on {
		c.endTracking()
		c.w.Simple("OK")
		return
	}
	if errText := o.refuse(c.tracking); errText != "" {
		c.w.Error(errText)
		return
	}
	first := c.tracking == nil
	c.srv.tracker.begin(c, &o)
	if first && c.executing {
		// What stands behind it in the transaction is executed already, and was not remembered.
		c.srv.tracker.dropAll(c.tracking)
	}
	c.w.Simple("OK")
}

// endTracking is CLIENT TRACKING OFF.
func (c *conn) endTracking() {
	c.caching = false
	if c.tracking != nil {
		c.srv.tracker.end(c)
	}
}

// trackingFlags are TRACKINGINFO's.
func (c *conn) trackingFlags() (flags []string, redirect int64, prefixes []string) {
	who := c.tracking
	if who == nil {
		return []string{"off"}, -1, nil
	}
	t := c.srv.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"on", true}, {"bcast", who.bcast},
		{"optin", who.optin}, {"caching-yes", who.optin && c.caching},
		{"optout", who.optout}, {"caching-no", who.optout && c.caching},
		{"noloop", who.noloop}, {"broken_redirect", who.broken},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return flags, who.redirectID(), slices.Sorted(maps.Keys(who.prefixes))
}

func clientTrackingInfo(c *conn, _ [][]byte) {
	flags, redirect, prefixes := c.trackingFlags()
	c.w.Map(3)
	c.w.BulkString("flags")
	c.w.Set(len(flags))
	for _, f := range flags {
		c.w.BulkString(f)
	}
	c.w.BulkString("redirect")
	c.w.Int(redirect)
	c.w.BulkString("prefixes")
	c.w.Array(len(prefixes))
	for _, p := range prefixes {
		c.w.BulkString(p)
	}
}

func clientCaching(c *conn, args [][]byte) {
	who := c.tracking
	yes, no := word(args[2], "yes"), word(args[2], "no")
	switch {
	case who == nil:
		c.w.Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled")
	case yes && !who.optin:
		c.w.Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
	case no && !who.optout:
		c.w.Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
	case !yes && !no:
		c.w.Error(command.ErrSyntax)
	default:
		c.caching = true
		c.w.Simple("OK")
	}
}

func clientGetRedir(c *conn, _ [][]byte) {
	if c.tracking == nil {
		c.w.Int(-1)
		return
	}
	c.w.Int(c.tracking.redirectID())
}
