package s3

import "syscall"

// ownGroup keeps Ctrl-C on the terminal from the server: the stack ends it after those that use it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
