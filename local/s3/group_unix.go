package s3

import "syscall"

// ownGroup shields the server from Ctrl-C: the stack stops it after its clients.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
