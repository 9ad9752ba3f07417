// Package observe holds what all programs share: logs, metrics, and the end of the process.
package observe
