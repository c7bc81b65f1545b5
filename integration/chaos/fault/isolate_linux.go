package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// insideEnv tells the program that it runs in namespaces of its own.
const insideEnv = "REDOUBT_CHAOS_INSIDE"

// stopGrace is what the program inside has to end in good order once it was interrupted.
const stopGrace = 60 * time.Second

// Inside reports whether this process runs in namespaces that Isolated made.
func Inside() bool { return os.Getenv(insideEnv) == "1" }

// Isolation says why this machine can't isolate a run, nil if it can.
func Isolation() error {
	if Inside() {
		return nil
	}
	return isolation()
}

var isolation = sync.OnceValue(func() error {
	if os.Geteuid() != 0 {
		return errors.New("namespaces take root")
	}
	if t := missing("ip", "nft", "nsenter"); t != "" {
		return fmt.Errorf("%s is not installed", t)
	}
	try := exec.Command("ip", "link")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneFlags}
	if err := try.Run(); err != nil { // root in a container may not have them
		return fmt.Errorf("namespaces are refused: %w", err)
	}
	return nil
})

const cloneFlags = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID

// Isolated runs a program inside mount, network and process namespaces of its own and returns its exit status. The
// program must call Enter before all else. When it has ended the kernel ends all that it has started and takes away its
// networks and mounts, however it ended; should this process die, the program does too. When ctx ends it is interrupted.
func Isolated(ctx context.Context, cmd *exec.Cmd) (int, error) {
	cmd.Env = append(cmd.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: cloneFlags,
		Setpgid:    true, // Ctrl-C reaches it through this process alone
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread() // the death signal goes by the thread that started the process
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start in namespaces: %w", err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		select {
		case <-ended:
			return
		case <-ctx.Done():
			_ = cmd.Process.Signal(os.Interrupt)
		}
		select {
		case <-ended:
		case <-time.After(stopGrace):
			_ = cmd.Process.Kill()
		}
	}()
	err := cmd.Wait()
	close(ended)
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// Enter makes the namespaces that the process is in a place of its own: its mounts are not seen outside, /proc shows its
// processes, and its network namespaces have names that nobody else knows.
func Enter() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", "/run/netns", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount /run/netns: %w", err)
	}
	return tool("ip", "link", "set", "lo", "up")
}
