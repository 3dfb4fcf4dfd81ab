//go:build !linux

package service

import "context"

// ready: launchd does not ask, and the one who runs a service tells Windows.
func ready(context.Context) {}
