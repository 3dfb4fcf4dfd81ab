package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// StateDir is where the journal and the grants lie: PERO_STATE_DIR, or the user's state folder.
func StateDir() (string, error) {
	if dir := os.Getenv("PERO_STATE_DIR"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("PERO_STATE_DIR: %q is not an absolute path", dir)
		}
		return dir, nil
	}
	return userFolder("XDG_STATE_HOME", ".local/state")
}

// CacheDir is where what can be fetched again lies.
func CacheDir() (string, error) {
	if dir := os.Getenv("PERO_STATE_DIR"); dir != "" {
		return filepath.Join(dir, "cache"), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "pero"), err
}

// UserFile is the person's own configuration file.
func UserFile() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "pero", "pero.toml"), err
}

func defaultFolder() (string, error) {
	if dir := os.Getenv("PERO_STATE_DIR"); dir != "" {
		return filepath.Join(dir, "keys"), nil
	}
	dir, err := userFolder("XDG_DATA_HOME", ".local/share")
	return filepath.Join(dir, "keys"), err
}

// userFolder is pero's folder in the XDG base directory of that variable, or in its likeness elsewhere.
func userFolder(variable, fallback string) (string, error) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		dir, err := os.UserConfigDir() // %AppData%, ~/Library/Application Support
		return filepath.Join(dir, "pero"), err
	}
	// The XDG specification has relative values ignored.
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "pero"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if home == "" {
		return "", errors.New("the home folder is not known")
	}
	return filepath.Join(home, filepath.FromSlash(fallback), "pero"), nil
}
