package window

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/perosign/pero/tokens"
)

// fileName makes a token's label the name of a file.
func fileName(label string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"|`, r) {
			return '_'
		}
		return r
	}, plain(label, 80))
	name = strings.TrimLeft(name, ". -")
	if name == "" {
		return "pero.p12"
	}
	return name
}

// unused puts a number after the name while the file is there.
func unused(path string) string {
	extension := filepath.Ext(path)
	stem := strings.TrimSuffix(path, extension)
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = stem + " (" + strconv.Itoa(n) + ")" + extension
	}
}

// documentsFolder is where the desktop keeps a person's documents (xdg-user-dirs), or the home folder.
func documentsFolder() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return os.TempDir()
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	folder := filepath.Join(home, "Documents")
	dirs, _ := os.ReadFile(filepath.Join(config, "user-dirs.dirs"))
	for line := range strings.Lines(string(dirs)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "XDG_DOCUMENTS_DIR="); ok {
			folder = strings.Replace(strings.Trim(value, `"`), "$HOME", home, 1)
		}
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return home
	}
	return folder
}

// pinentryFiles stands in for a file dialog where only a pinentry is to be had: it can agree to a path, not choose one.
type pinentryFiles struct{ pinentryAsker }

func (a pinentryFiles) save(ctx context.Context, w words, p tokens.Prompt, proposed string) (string, error) {
	saying := page{title: w.Say("window.save"), ok: w.Say("window.ok." + string(p.Act)), cancel: w.Say("window.cancel"),
		text: shorten(join(w.head(p), []string{w.Say("window.save.here"), plain(proposed, 200)}), room)}
	return proposed, agree(ctx, a, []page{saying})
}

func (pinentryFiles) open(context.Context, words, tokens.Prompt) (string, error) {
	return "", fmt.Errorf("a pinentry cannot choose a file: %w", errNoDialog)
}
