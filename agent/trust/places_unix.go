//go:build unix && !darwin

package trust

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// chromiums are programs that share one database of the person's.
func chromiums() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "yandex-browser", "yandex-browser-stable", "microsoft-edge",
		"microsoft-edge-stable", "brave-browser", "vivaldi", "opera"}
}

// Stores gives the stores of this person's browsers, as they are found in the home folder. The system's own store is the administrator's
// and the same for all people, so it is none of them. quiet: nobody is at a terminal to give a password.
func Stores(quiet bool) ([]Store, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	under := func(variable, fallback string) string {
		if dir := os.Getenv(variable); filepath.IsAbs(dir) {
			return dir
		}
		return filepath.Join(home, fallback)
	}
	// Beside the person's own, packages of snap and flatpak keep a home folder each.
	homes := []string{home}
	for _, pattern := range []string{"snap/*/common", "snap/*/current", ".var/app/*"} {
		homes = append(homes, within(home, pattern)...)
	}
	var chromium, firefox []string
	for _, h := range homes {
		chromium = append(chromium, filepath.Join(h, ".pki", "nssdb"))
		for _, dir := range []string{".mozilla/firefox", ".config/mozilla/firefox", ".librewolf", "config/mozilla/firefox"} {
			firefox = append(firefox, profiles(filepath.Join(h, dir))...)
		}
	}
	chromium = append(chromium, filepath.Join(under("XDG_DATA_HOME", ".local/share"), "pki", "nssdb"))
	firefox = append(firefox, profiles(filepath.Join(under("XDG_CONFIG_HOME", ".config"), "mozilla", "firefox"))...)

	var found []Store
	add := func(folders []string, kind Kind) {
		slices.Sort(folders)
		for _, f := range slices.Compact(folders) {
			if exists(filepath.Join(f, "cert9.db")) {
				found = append(found, &nss{folder: f, kind: kind, quiet: quiet})
			}
		}
	}
	add(chromium, Chromium)
	if len(found) == 0 && slices.ContainsFunc(chromiums(), installed) {
		// None of them was started yet. All read the one at the old place when it is there, and make their own elsewhere when not.
		found = append(found, &nss{folder: filepath.Join(home, ".pki", "nssdb"), kind: Chromium, quiet: quiet})
	}
	add(firefox, Firefox)
	return found, nil
}

// within gives the folders of a folder that match; the folder itself is taken literally.
func within(folder, pattern string) []string {
	found, err := filepath.Glob(filepath.Join(escape(folder), pattern))
	if err != nil {
		return nil // the pattern is ours
	}
	return found
}

func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// profiles gives the profiles of a Firefox: the folders below its own, and those that its list names elsewhere.
func profiles(folder string) []string {
	found := within(folder, "*")
	list, err := os.Open(filepath.Join(folder, "profiles.ini"))
	if err != nil {
		return found
	}
	defer list.Close()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "Path="); ok && filepath.IsAbs(path) {
			found = append(found, filepath.Clean(path))
		}
	}
	return found
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
