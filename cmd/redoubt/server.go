package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/redoubtdb/redoubt/cluster/storage"
	"github.com/redoubtdb/redoubt/internal/collector"
	"github.com/redoubtdb/redoubt/internal/config"
)

func serverCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run one node",
		Long: "Run one node. Settings come from a file in redis.conf syntax (--config) and from flags of the same names; a flag\n" +
			"wins. The first node of a cluster starts with --bootstrap, the others with --join and the RESP address of any member.",
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, warnings, err := loadConfig(cmd, file)
			if err != nil {
				return err
			}
			return runServer(cfg, warnings)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "file in redis.conf syntax")
	config.BindFlags(cmd.Flags())
	return cmd
}

// noWords refuses arguments that belong to no flag, and says what is wrong with the likeliest one.
func noWords(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case args[0] == "yes" || args[0] == "no":
		return fmt.Errorf("%q belongs to no flag: a switch that may stand alone takes its value by a sign, --bootstrap=%s", args[0], args[0])
	}
	return fmt.Errorf("%q belongs to no flag; a configuration file is named by --config", args[0])
}

func loadConfig(cmd *cobra.Command, file string) (*config.Config, []config.Warning, error) {
	cfg := config.New()
	var warnings []config.Warning
	if file != "" {
		w, err := cfg.ParseFile(file)
		if err != nil {
			return nil, nil, err
		}
		warnings = w
	}
	w, err := cfg.ApplyFlags(cmd.Flags())
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	return cfg, append(warnings, w...), refuseUnserved(cfg)
}

func runServer(cfg *config.Config, warnings []config.Warning) error {
	logs, err := openLogs(cfg)
	if err != nil {
		return err
	}
	defer logs.Close()
	for _, w := range warnings {
		logs.slog.Warn(w.String())
	}
	for _, text := range unservedWarnings(cfg) {
		logs.slog.Warn(text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go collector.Govern(ctx)
	signals := make(chan os.Signal, 2)
	s, err := startServer(cfg, logs)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if storage.DiskFull(err) {
		return awaitRoom(cfg, logs, signals, err)
	}
	if err != nil {
		logs.toFile("not started", err)
		return err
	}
	select {
	case sig := <-signals:
		logs.slog.Info("stopping", "signal", sig.String())
	case <-s.stop:
		logs.slog.Info("stopping", "by", "SHUTDOWN")
	case err := <-s.fatal:
		s.abort()
		if storage.DiskFull(err) {
			return awaitRoom(cfg, logs, signals, err)
		}
		logs.toFile("stopped", err)
		return err
	}
	go func() { // a second signal, or a disk that hangs, ends the orderly stop
		select {
		case <-signals:
		case err := <-s.fatal:
			logs.slog.Error("stopping at once", "err", err)
		}
		os.Exit(1)
	}()
	return s.shutdown()
}

// shutdown hands leadership over, answers what is in flight and stops.
func (s *server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Duration("handover-timeout-ms"))
	defer cancel()
	if s.node.Leading() {
		if err := s.node.TransferLeadership(ctx, ""); err != nil {
			s.log.Info("leadership was not handed over", "err", err)
		}
	}
	s.resp.Close(s.cfg.Duration("shutdown-timeout"))
	return s.closeAll()
}

// abort stops after a failure: no hand-over, and no waiting for a disk that may never answer.
func (s *server) abort() {
	s.resp.Close(abortPatience)
	done := make(chan struct{})
	go func() { _ = s.closeAll(); close(done) }()
	select {
	case <-done:
	case <-time.After(abortPatience):
	}
}

const abortPatience = time.Second

func (s *server) closeAll() error {
	s.stopJoin()
	var errs []error
	s.closeOnce.Do(func() {
		if s.node != nil {
			errs = append(errs, s.node.Close())
		}
		s.stopLoading()
		if s.transport != nil {
			errs = append(errs, s.transport.Close())
		}
		errs = append(errs, s.dir.Close())
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// closer is sync.Once under a name that says what for.
type closer = sync.Once
