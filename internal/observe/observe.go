// Package observe is what all programs of Pinflow share to be watched and ended: logs, metrics, and the end of a process.
package observe
