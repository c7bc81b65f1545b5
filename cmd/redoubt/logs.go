package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/redoubtdb/redoubt/internal/config"
)

// logs are the process's log: ours (slog) and raft's (hclog), to one place and by one setting.
type logs struct {
	slog  *slog.Logger
	raft  hclog.Logger
	level *slog.LevelVar
	file  *os.File
}

func openLogs(cfg *config.Config) (*logs, error) {
	var out io.Writer = os.Stderr
	l := &logs{level: new(slog.LevelVar)}
	if path := cfg.String("logfile"); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
		if err != nil {
			return nil, fmt.Errorf("logfile: %w", err)
		}
		l.file, out = f, f
	}
	l.slog = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: l.level}))
	l.raft = hclog.New(&hclog.LoggerOptions{Name: "raft", Output: out, Exclude: newRepeats(time.Now).exclude})
	_ = l.setLevel("", cfg.String("loglevel"))
	cfg.OnChange("loglevel", l.setLevel)
	return l, nil
}

// setLevel maps Redis's four levels. Raft tells of every election at its level info, which is verbose here.
func (l *logs) setLevel(_, name string) error {
	switch name {
	case "debug":
		l.level.Set(slog.LevelDebug)
		l.raft.SetLevel(hclog.Debug)
	case "verbose":
		l.level.Set(slog.LevelInfo)
		l.raft.SetLevel(hclog.Info)
	case "warning":
		l.level.Set(slog.LevelWarn)
		l.raft.SetLevel(hclog.Error)
	default:
		l.level.Set(slog.LevelInfo)
		l.raft.SetLevel(hclog.Warn)
	}
	return nil
}

// toFile logs why the process ends, where the log is a file: main prints it on stderr in any case.
func (l *logs) toFile(msg string, err error) {
	if l.file != nil {
		l.slog.Error(msg, "err", err)
	}
}

// Close closes the log file, if there is one.
func (l *logs) Close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
