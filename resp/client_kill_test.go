package resp_test

import (
	"strings"
	"testing"

	"github.com/redoubtdb/redoubt/resp/resptest"
)

// TestKillWhilePaused: a command that waits for the end of CLIENT PAUSE is not executed any more once its client is killed,
// nor is what follows it in the pipeline.
func TestKillWhilePaused(t *testing.T) {
	for name, pipeline := range map[string]string{
		"a write":     "SET k v\r\nSET k w\r\n",
		"EXEC":        "MULTI\r\nSET k v\r\nEXEC\r\nSET k w\r\n",
		"a read":      "GET k\r\nSET k w\r\n",
		"a read EXEC": "MULTI\r\nGET k\r\nEXEC\r\nSET k w\r\n",
	} {
		s := resptest.Start(t)
		admin, victim := s.Dial(t), s.Dial(t)
		id := text(t, victim, "CLIENT", "ID")
		expect(t, admin, "OK", "CLIENT", "PAUSE", "60000", "ALL")
		if err := victim.SendRaw([]byte(pipeline)); err != nil {
			t.Fatal(err)
		}
		waits := "cmd=" + strings.ToLower(pipeline[:3]) + " "
		if strings.Contains(pipeline, "EXEC") {
			waits = "cmd=exec "
		}
		eventually(t, name+" waits", func() bool { return strings.Contains(text(t, admin, "CLIENT", "LIST", "ID", id), waits) })
		expect(t, admin, "1", "CLIENT", "KILL", "ID", id)
		expect(t, admin, "OK", "CLIENT", "UNPAUSE")
		eventually(t, "the connection of "+name+" ends", func() bool { _, err := victim.Receive(); return err != nil })
		expect(t, admin, "", "GET", "k")
	}
}
