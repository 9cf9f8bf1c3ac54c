//go:build !((amd64 || arm64) && gc && !purego)

package framekey

func walk([]uintptr) int { return 0 }

func top() uintptr { return 0 }
