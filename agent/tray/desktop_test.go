//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
)

// long is how long a busy machine may take for anything; nothing is proved by waiting so long.
const long = time.Minute

// desktop is a screen, a session bus, a window manager and a panel.
type desktop struct {
	t     *testing.T
	dir   string
	panel string
	desk  *desk
	away  func() // ends the agent
	empty *image.RGBA
	icon  image.Rectangle
	tray  *exec.Cmd
	ended chan struct{} // the tray
}

func newDesktop(t *testing.T, panel, theme string, command ...string) *desktop {
	for _, name := range []string{"Xvfb", "dbus-daemon", "openbox", "xdotool", "import", command[0]} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is missing: run make deps", name)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "pero-tray") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &desktop{t: t, dir: dir, panel: panel, desk: newDesk()}
	for name, value := range map[string]string{
		"HOME": dir, "XDG_RUNTIME_DIR": dir, "XDG_CONFIG_HOME": dir + "/config", "XDG_CACHE_HOME": dir + "/cache", "XDG_DATA_HOME": dir + "/data",
		"PERO_STATE_DIR": "", "LC_ALL": "ru_RU.UTF-8", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1", "GTK_THEME": theme, "WAYLAND_DISPLAY": "",
		"PATH": dir + "/bin:" + os.Getenv("PATH"), "TMPDIR": dir,
	} {
		t.Setenv(name, value)
	}
	number, report, err := os.Pipe()
	require.NoError(t, err)
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "800x480x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{report}
	d.start(x)
	report.Close()
	line, err := bufio.NewReader(number).ReadString('\n')
	require.NoError(t, err, "Xvfb")
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(line))
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1")
	out, err := bus.StdoutPipe()
	require.NoError(t, err)
	d.start(bus)
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "dbus-daemon")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	d.start(exec.Command("openbox"))
	settings := filepath.Join(dir, "config/xfce4/xfconf/xfce-perchannel-xml")
	require.NoError(t, os.MkdirAll(settings, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(settings, "xfce4-panel.xml"), []byte(panelSettings), 0o600))
	d.start(exec.Command(command[0], command[1:]...))
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	for there := false; !there; {
		there = watched(ctx) == (panel == "xfce") && iconsShown(ctx)
		require.NoError(t, ctx.Err(), "the panel has no place for icons")
	}
	return d
}

const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="28"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty"><property name="plugin-1" type="string" value="systray"/></property>
</channel>
`

// start runs a program until the test ends.
func (d *desktop) start(c *exec.Cmd) chan struct{} {
	d.t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all that it starts
	require.NoError(d.t, c.Start())
	ended := make(chan struct{})
	go func() {
		c.Wait()
		close(ended)
	}()
	d.t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	return ended
}

// agent starts to answer as the person's agent.
func (d *desktop) agent() { d.away = d.desk.serve(d.t) }

// run starts the tray.
func (d *desktop) run() {
	d.t.Helper()
	bin := filepath.Join(d.dir, "bin")
	require.NoError(d.t, os.MkdirAll(bin, 0o700))
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "pero-tray"), ".")
	build.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+cache, "XDG_CONFIG_HOME=")
	out, err := build.CombinedOutput()
	require.NoError(d.t, err, string(out))
	for name, script := range map[string]string{
		"xdg-open": `echo "$1" >>"$HOME/opened"`,
		"pero":     `echo '{"check":"port","level":"problem","message":"<b>nobody listens</b>","advice":"start it"}'; exit 1`,
	} {
		require.NoError(d.t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	}
	d.empty = d.steady()
	d.tray = exec.Command(filepath.Join(bin, "pero-tray"))
	d.tray.Stderr = os.Stderr
	d.ended = d.start(d.tray)
}

// The folders as they are outside of the test.
var home, cache = os.Getenv("HOME"), os.Getenv("XDG_CACHE_HOME")

func (d *desktop) tool(args ...string) string {
	d.t.Helper()
	out, err := exec.Command("xdotool", args...).CombinedOutput()
	require.NoError(d.t, err, string(out))
	return string(out)
}

func (d *desktop) shot() *image.RGBA {
	d.t.Helper()
	out, err := exec.Command("import", "-window", "root", "png:-").Output()
	require.NoError(d.t, err)
	decoded, err := png.Decode(bytes.NewReader(out))
	require.NoError(d.t, err)
	picture := image.NewRGBA(decoded.Bounds())
	draw.Draw(picture, picture.Bounds(), decoded, image.Point{}, draw.Src)
	return picture
}

// until waits for something to be so on the screen.
func (d *desktop) until(what string, so func(*image.RGBA) bool) *image.RGBA {
	d.t.Helper()
	for end := time.Now().Add(long); ; {
		picture := d.shot()
		if so(picture) {
			return picture
		}
		if time.Now().After(end) {
			d.save(picture, picture.Bounds(), "failed")
			d.t.Fatalf("%s: never seen", what)
		}
	}
}

// steady waits until the screen stays as it is.
func (d *desktop) steady() *image.RGBA {
	var last *image.RGBA
	same := 0
	return d.until("a screen that rests", func(p *image.RGBA) bool {
		if last != nil && difference(last, p).Empty() {
			same++
		} else {
			same = 0
		}
		last = p
		return same >= 3
	})
}

// difference is where two pictures differ.
func difference(a, b *image.RGBA) image.Rectangle {
	var r image.Rectangle
	for y := range a.Rect.Dy() {
		row, other := a.Pix[y*a.Stride:(y+1)*a.Stride], b.Pix[y*b.Stride:(y+1)*b.Stride]
		if bytes.Equal(row, other) {
			continue
		}
		for x := range a.Rect.Dx() {
			if !bytes.Equal(row[4*x:4*x+4], other[4*x:4*x+4]) {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

// count counts pixels near a colour.
func count(p *image.RGBA, in image.Rectangle, c color.RGBA) (n int) {
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) < 12 }
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if o := p.RGBAAt(x, y); near(o.R, c.R) && near(o.G, c.G) && near(o.B, c.B) {
				n++
			}
		}
	}
	return n
}

// save keeps a picture in the folder that PERO_PICTURES names, for people to look at.
func (d *desktop) save(p *image.RGBA, crop image.Rectangle, name string) {
	dir := os.Getenv("PERO_PICTURES")
	if dir == "" {
		return
	}
	var b bytes.Buffer
	require.NoError(d.t, png.Encode(&b, p.SubImage(crop)))
	require.NoError(d.t, os.WriteFile(filepath.Join(dir, d.panel+"-"+name+".png"), b.Bytes(), 0o644))
}

var (
	blue  = color.RGBA{0x2f, 0x6f, 0xb0, 0xff}
	dark  = color.RGBA{0x1d, 0x4a, 0x7d, 0xff}
	grey  = color.RGBA{0xdf, 0xe4, 0xe9, 0xff}
	amber = color.RGBA{0xf0, 0xa3, 0x1c, 0xff}
	red   = color.RGBA{0xcf, 0x2f, 0x2f, 0xff}

	highlight = color.RGBA{0x15, 0x53, 0x9e, 0xff} // of GTK's dark theme
)

// states are those of the icon, with a colour that only it has.
var states = []struct {
	name  string
	color color.RGBA
	set   func(*local.State)
}{
	{"none", grey, func(s *local.State) { s.Status = local.None }},
	{"ready", blue, func(s *local.State) { *s = withSite(s) }},
	{"warning", amber, func(s *local.State) {
		*s = withSite(s)
		s.Status, s.Causes = local.Warning, []local.Cause{{What: local.Expiring, Name: "Мария Иванова", Days: 12}}
	}},
	{"problem", red, func(s *local.State) {
		*s = withSite(s)
		s.Status, s.Causes = local.Problem, []local.Cause{{What: local.PINLocked, Name: "Рутокен_ЭЦП"}, {What: local.Expiring, Name: "Мария Иванова", Days: 12}}
	}},
	{"busy", dark, func(s *local.State) {
		*s = withSite(s)
		s.Status, s.Causes = local.Busy, []local.Cause{{What: local.Asking}}
	}},
}

func withSite(s *local.State) local.State {
	return local.State{Revision: s.Revision, Status: local.Ready, Causes: []local.Cause{},
		Tokens: []local.Token{{ID: "1", Label: "Рутокен_ЭЦП", Carrier: "usb_token", State: "ready", Certificates: []local.Certificate{
			{ID: "c", Holder: "Мария Иванова", Issuer: "УЦ", Until: time.Now().Add(12 * 24 * time.Hour).UTC(), Days: 12, Portal: "https://portal.example"},
		}}},
		Sites: []local.Site{{Origin: "https://portal.example", Access: "granted"}},
	}
}

// see shows each state and waits for its icon.
func (d *desktop) see() {
	d.t.Helper()
	before := d.empty
	for _, s := range states {
		d.desk.set(s.set)
		picture := d.until("the icon of "+s.name, func(p *image.RGBA) bool {
			at := difference(d.empty, p)
			return !at.Empty() && at.Dy() <= 60 && count(p, at, s.color) >= 12 && !difference(before, p).Empty()
		})
		before = d.steady()
		d.icon = difference(d.empty, before)
		if s.name == "busy" {
			require.Zero(d.t, count(picture, d.icon, red)+count(picture, d.icon, amber))
		}
		d.save(before, d.icon.Inset(-6).Intersect(before.Bounds()), s.name)
	}
}

// open opens the menu by a click on the icon, and gives where it is.
func (d *desktop) open() image.Rectangle {
	d.t.Helper()
	before := d.steady()
	at := d.icon.Min.Add(d.icon.Size().Div(2))
	d.tool("mousemove", fmt.Sprint(at.X), fmt.Sprint(at.Y), "click", "1")
	d.until("the menu", func(p *image.RGBA) bool { return difference(before, p).Dy() > 100 })
	after := d.steady()
	where := difference(before, after)
	d.save(after, where.Inset(-4).Union(d.icon).Intersect(after.Bounds()), "menu")
	return where
}

// told waits until the menu, as the session bus has it, begins with a text.
func (d *desktop) told(headline string) {
	d.t.Helper()
	bus, err := dbus.ConnectSessionBus()
	require.NoError(d.t, err)
	defer bus.Close()
	var menu string
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var items dbus.Variant
		watcher := bus.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher")
		if err := watcher.StoreProperty("org.kde.StatusNotifierWatcher.RegisteredStatusNotifierItems", &items); err != nil {
			continue
		}
		list, _ := items.Value().([]string)
		if len(list) != 1 {
			continue
		}
		name, path, _ := strings.Cut(list[0], "/")
		call := bus.Object(name, dbus.ObjectPath("/"+path+"/Menu")).Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(1), []string{"label"})
		menu = fmt.Sprint(call.Body)
		if strings.Contains(menu, headline) {
			return
		}
	}
	d.t.Fatalf("the menu does not say %s: %s", headline, menu)
}

// close closes the menu.
func (d *desktop) close() {
	d.t.Helper()
	for end := time.Now().Add(long); difference(d.empty, d.shot()).Dy() > 60; {
		require.True(d.t, time.Now().Before(end), "the menu stays")
		d.tool("key", "Escape")
	}
}

// press presses a key and waits for the line that is chosen to be another: everything else on the screen may change by itself.
func (d *desktop) press(key string) {
	d.t.Helper()
	chosen := func(p *image.RGBA) (marked [480]int) {
		for y := range marked {
			marked[y] = count(p, image.Rect(0, y, 800, y+1), highlight)
		}
		return marked
	}
	before := chosen(d.steady())
	for range 4 {
		d.tool("key", key)
		for end := time.Now().Add(long / 6); time.Now().Before(end); {
			if chosen(d.shot()) != before {
				return
			}
		}
	}
	failed := d.shot()
	d.save(failed, failed.Bounds(), "failed")
	d.t.Fatalf("%s shows nothing", key)
}

// opened gives the last address that was to be opened.
func (d *desktop) opened(n int) string {
	d.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		octets, _ := os.ReadFile(filepath.Join(d.dir, "opened"))
		if lines := strings.Split(strings.TrimSpace(string(octets)), "\n"); len(octets) > 0 && len(lines) == n {
			return lines[n-1]
		}
	}
	d.t.Fatal("nothing was opened")
	return ""
}

func (d *desktop) load(address string) string {
	d.t.Helper()
	a, err := http.Get(address)
	require.NoError(d.t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(d.t, err)
	return string(b)
}

// The panel of Xfce shows icons as StatusNotifierItem does.
func TestTrayInXfce(t *testing.T) {
	d := newDesktop(t, "xfce", "Adwaita:dark", "xfce4-panel", "--disable-wm-check")
	notices := d.notices()
	notice := func() string {
		select {
		case text := <-notices:
			return text
		case <-time.After(long):
			t.Fatal("no notice")
		}
		return ""
	}
	d.agent()
	d.run()
	d.see()
	require.Equal(t, "Вставлен носитель: Рутокен_ЭЦП: USB-токен, готов", notice(), "after the state without tokens")
	require.Contains(t, notice(), "Сертификат: Сертификат (Мария Иванова) закончится через 12 дней.")

	// Tokens and certificates.
	d.desk.set(withReady)
	d.until("the icon of ready", func(p *image.RGBA) bool {
		return count(p, d.icon, blue) > count(p, d.icon, dark) && difference(d.empty, p).Dy() <= 60
	})
	d.told("Готово к подписи")
	menu := d.open()
	d.press("Down")
	d.tool("key", "Right")
	d.until("the tokens", func(p *image.RGBA) bool { return difference(d.empty, p).Dx() > menu.Dx()+100 })
	d.save(d.steady(), image.Rect(0, 0, 760, 200), "tokens")
	d.close()

	// Tokens, the token, change its PIN: the agent is asked to open its window, and what came of it is told.
	d.open()
	for _, key := range []string{"Down", "Right", "Right", "Return"} {
		d.press(key)
	}
	select {
	case p := <-d.desk.asked:
		require.Equal(t, local.PINParams{Token: "1", Act: local.ChangePIN}, p)
	case <-time.After(long):
		t.Fatal("the PIN was not asked for")
	}
	require.Equal(t, "PIN-код: Новый PIN-код «Рутокен_ЭЦП» задан", notice())

	// Sites, the site, take back, yes.
	d.open()
	for _, key := range []string{"Down", "Down", "Down", "Right", "Right", "Right"} {
		d.press(key)
	}
	d.save(d.steady(), image.Rect(0, 0, 760, 200), "revoke")
	require.Empty(t, d.desk.revoked, "nothing was confirmed yet")
	d.press("Return")
	select {
	case origin := <-d.desk.revoked:
		require.Equal(t, "https://portal.example", origin)
	case <-time.After(long):
		t.Fatal("the site was not revoked")
	}

	// Re-issue opens the portal that the agent named.
	d.open()
	for _, key := range []string{"Down", "Down", "Right", "Return"} {
		d.press(key)
	}
	require.Equal(t, "https://portal.example/", d.opened(1))

	// The journal and the readiness check are pages.
	d.open()
	for _, key := range []string{"Down", "Down", "Down", "Down", "Return"} {
		d.press(key)
	}
	page := d.load(d.opened(2))
	require.Contains(t, page, "Журнал")
	require.Contains(t, page, "<td>https://portal.example</td>")
	require.NotContains(t, page, "cli.")
	d.open()
	for _, key := range []string{"Up", "Up", "Return"} {
		d.press(key)
	}
	page = d.load(d.opened(3))
	require.Contains(t, page, "&lt;b&gt;nobody listens&lt;/b&gt;")

	// A second start shows the same as a page: the way of desktops without a place for icons.
	d.start(exec.Command(d.tray.Path))
	page = d.load(d.opened(4))
	require.Contains(t, page, "https://portal.example")
	require.Contains(t, page, "Носители и сертификаты")
	require.NotContains(t, page, "tray.")

	// A token that comes is told of; those that were there were not.
	d.desk.set(func(s *local.State) {
		*s = withSite(s)
		s.Tokens = append(s.Tokens, local.Token{ID: "2", Label: "<b>Second</b>", Carrier: "smartcard", State: "ready"})
	})
	require.Equal(t, "Вставлен носитель: b Second /b : смарт-карта, готов", notice())

	// The agent goes, and comes back.
	d.away()
	d.until("the icon of an agent that is away", func(p *image.RGBA) bool { return count(p, d.icon, red) >= 12 })
	d.agent()
	d.until("the icon of an agent that is back", func(p *image.RGBA) bool { return count(p, d.icon, red) == 0 && count(p, d.icon, blue) >= 12 })

	// The last line ends the program.
	d.told("Готово к подписи")
	menu = d.open()
	d.tool("mousemove", fmt.Sprint(menu.Min.X+menu.Dx()/2), fmt.Sprint(menu.Max.Y-14), "click", "1")
	select {
	case <-d.ended:
	case <-time.After(long):
		t.Fatal("the icon stayed")
	}
	require.True(t, d.tray.ProcessState.Success())
	left, err := filepath.Glob(filepath.Join(d.dir, "systray_*"))
	require.NoError(t, err)
	require.Empty(t, left, "the library's picture is left behind")
}

func withReady(s *local.State) { *s = withSite(s) }

// trayer knows icons only as windows.
func TestTrayInTrayer(t *testing.T) {
	d := newDesktop(t, "trayer", "Adwaita", "trayer", "--edge", "top", "--align", "right", "--SetDockType", "true", "--expand", "false", "--widthtype", "request",
		"--height", "28", "--transparent", "false", "--tint", "0xf2f2f2")
	d.agent()
	d.run()
	d.see()
	menu := d.open()
	d.tool("mousemove", fmt.Sprint(menu.Min.X+menu.Dx()/2), fmt.Sprint(menu.Max.Y-14), "click", "1")
	select {
	case <-d.ended:
	case <-time.After(long):
		t.Fatal("the icon stayed")
	}
}

// Without a display it says so, and that is no failure.
func TestTrayWithoutDisplay(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "pero-tray")
	out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	c := exec.Command(bin)
	c.Env = append(os.Environ(), "DISPLAY=", "WAYLAND_DISPLAY=", "PERO_STATE_DIR="+dir, "LC_ALL=C.UTF-8")
	out, err = c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "pero status")
}

// notices takes the place of the desktop's own.
func (d *desktop) notices() <-chan string {
	d.t.Helper()
	bus, err := dbus.ConnectSessionBus()
	require.NoError(d.t, err)
	d.t.Cleanup(func() { bus.Close() })
	shown := make(chan string, 99)
	require.NoError(d.t, bus.Export(notifier(shown), "/org/freedesktop/Notifications", "org.freedesktop.Notifications"))
	reply, err := bus.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue)
	require.NoError(d.t, err)
	require.Equal(d.t, dbus.RequestNameReplyPrimaryOwner, reply)
	return shown
}

type notifier chan string

// Notify implements org.freedesktop.Notifications.
func (n notifier) Notify(app string, _ uint32, _, title, text string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n <- title + ": " + text
	return 1, nil
}
